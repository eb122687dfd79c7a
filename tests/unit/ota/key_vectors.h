// Foreign keys and signatures, made once with the openssl command, over the text kMessage.
// No private half exists any more.
#pragma once

namespace vectors {

constexpr const char* kMessage = "a signed part";

constexpr const char* kEcdsaKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEPzywKhxQiA7c84vWRd1euejJS0hp\n"
    "kYBMwf56cBy+m4hMjNL83cOr5gnVSkc/5CO4pMb3XFXD4JsOnc4/YGdg0g==\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* kEcdsaSignature =
    "3044022044cf437a317d69901ea457940f671dc4a2d9a754ae46a405d8f755e7d0b0d94402201f6aa3dc"
    "fdef24d3865a4b71a317434b2e30361d2907fdfaf9ac397cc4db2687";

// P-384: not the curve that the scheme names.
constexpr const char* kP384Key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEGoNC9titHk4V2/NAjjUIGUlY2zuqg/sG\n"
    "n0XWYALuvOv8AInmYKYw5t9dJtmPEyqnRhjISks6XTgvTFwKR2XKl5c7rzjeNg/N\n"
    "V6AoA4lnXYmR4Rwt4dKpWCe2UUDSwJNQ\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* kP384Signature =
    "306402305cb3d50c96da3363c5486dcace763f09376fcd10ab4ad9da81784f8628dc0a0e7b1a3af9bd8c"
    "5a30991588514e72304f0230028a1590769ac4fd4978d28675800306d40ab607d4b2bc88532421ba89e7"
    "f7c7b17a4bfd942f3e024222f9d065dc707d";

constexpr const char* kRsaKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAoD13W+suGuqdxLNnYaUT\n"
    "krMi11taSjsX3A32gThbHhqDcQWtTNJ/wIgmGkH4fSzPfeLvW3ZZIutKPIjl8oYL\n"
    "mZzBYDBo2FbzoeNFCDyeXi7nlHzi25OZ/V17i3DNkVYEfTZAmWwNy90j/t/InWQG\n"
    "1lk4ZbMNUdgJka///ngMluKlxfArOTuDZgOby786s3WffWqee/TzItUpew/T8/PS\n"
    "Jj0Cqymbuq0mLyBRFPOoo372Njsz8bo918/bjmk9xzh/H4wLDzSiIhgiyNALrH4O\n"
    "rFNHV9EmBwShA2xn/LQypX6cIgPblS2ooJzSruWVV4SPVN8VeYwkR8S5LKqyJArS\n"
    "RQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* kRsaSignatureDigestSalt =
    "8bce979e3fbc8f5c2f5515451d1fe27c141c833e660c1e2c364f783071f287aaf5e8cae2d0732a144235"
    "673d8c57030a4cf9029d01531ef7471fd38feea30285b4e3b58f2677e5dc53f52bc6748965bc95c22aff"
    "a08ab456541adc4c960e3ad259094863d6b0b8717edfcfa8a34eed2caafcd2989e1f529094d869377e8a"
    "6358c619bef89da1b056b7c1fd76f560e913da50f1704b1b5aa862d444e45623fc5d4c7260e3479f9699"
    "7b03874c72d1daad0c5ce94a404579a1be32ae149e6286ef365387cb0f7cabb6059bbe9d0676e6971b02"
    "3b05fe2ab48420389de78513469a8b49cdbdcf6c12508bdbc608dd597baaefee68c626e8730a90e6a334"
    "e5615918";
constexpr const char* kRsaSignatureLongSalt =
    "98d786880126210c7821ab540781b751b8094f3093c8a3a28b1e0d78cf4cb11a6c193c902f1e1ed4d187"
    "5a1161cbd08e9fb27347e0c4e1e9c11a88f6ffd4989c9b24528edb4ad16f1c04a1c910d676dc1444d03c"
    "be82056f17cfca9e6f069a5b52915cf14f60a2d7ce06675578493efd2a25a9d3f33ffe185f89e56a5548"
    "c9853600a09892c70b0c57c76ab9626287c9c7fe2d906588c752579e5d378873ea56b06597937e31e42e"
    "000ec85664f09ed77e35c6673876b8637a17f351ca65b82109388af92e8d7a09fe5c9e1ef8a820efb0e6"
    "b59211ce064e95a27b8ec4841e910a5851af3c31e29f694d2c59e062fb29c8c57f2ed516f966e997d9d0"
    "bf5ca626";
// PKCS#1 v1.5: not the scheme.
constexpr const char* kRsaSignatureV15 =
    "1671d3810c601bc5cbc73bebaad373a7bbb91538f7d24279f18b6c3cf001eb9fb4929a5e3e2bbfc6e8d7"
    "7c182cdd43a56e6e6c7bcbc2f29020c76af128423c1e9f98d6894248a0afe7eb28813ca27d0f02ea39d5"
    "9c477441d012493e330fb0d8054c4d895bed9387fb014f4d9ca2946cf38f5120114d6c28f17a0d86c803"
    "31a1240739b72e896378347dfb3fe01b2bb3c5739a16b55f6877a95d654f03951f40cf035b69fa71e848"
    "53e1ed546ef615c1e1eac4db641bbd5d84d2137e9aa953b13bff67d6a886cf2da12aa659ca9a3bd740aa"
    "ba8149c4bf0e3c9598b944446368babb78d98b8c6f696b0e81b9baabcca40ce8ff4ba1672b6e985dabce"
    "9eceb5c2";

// 1024 bits: too short.
constexpr const char* kShortRsaKey =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDiL0Wj/E/c5yqq/Eo6FNq3DAtq\n"
    "/AUTn91tLM1LYqcv9u9UACSaSC/o01BPLDyaHMF+xDeTNf7+eMdLNusRaKJiRRUx\n"
    "da+EBfAV0UpN1asyGqq+kbKfdql/5D/0Az3V62/FHllUQ+j1uxtr74X7NgcUsIV9\n"
    "aDaByYHxEzsLNTFKtQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* kShortRsaSignature =
    "83fff34071b32ca7ee6ff80c90f7a58cdc09411fed634260f8569cfc03aaca06647587424e01ca39ce4c"
    "ca05b66aa9a02c73891ddc3b72357901ebdc6f808c65d96bcde51cd284c8f75a3f705bbc6b85be2fb45a"
    "72438909290b115ba19687fcab892dd1b65f4b75078be3ab303300ee0c6741ccf284f867fe381a949b6d"
    "f888";

}  // namespace vectors

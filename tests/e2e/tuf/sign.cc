// What a thief does with a key: makes one of his own, or signs what he likes with a stolen one.
//   tuf_sign new KEYFILE
//   tuf_sign KEYFILE [PASSPHRASEFILE] <FILE >FILE     its `signed` part, signed by this key alone
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "ota/json.h"
#include "ota/keys.h"
#include "ota/metadata.h"

namespace {

std::string all_of(std::istream& in) { return {std::istreambuf_iterator<char>(in), {}}; }

int fail(const std::string& what) {
  std::cerr << "tuf_sign: " << what << "\n";
  return 1;
}

int sign(const char* key_file, const char* passphrase_file) {
  std::ifstream in(key_file);
  std::string passphrase;
  if (passphrase_file != nullptr) {
    std::ifstream words(passphrase_file);
    std::getline(words, passphrase);
  }
  const auto key = ota::SigningKey::open(all_of(in), ota::Secret(passphrase));
  if (!key) return fail(key.error().what);
  const auto document = ota::parse_json(all_of(std::cin));
  if (!document) return fail(document.error().what);
  const ota::Json* part = document->find("signed");
  if (part == nullptr) return fail("no `signed`");
  const ota::SigningKey* const keys[] = {&*key};
  std::cout << ota::sign_metadata(*part, keys);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "new") {
    std::ofstream out(argv[2]);
    out << ota::SigningKey::generate().to_plain_file().view();
    return out.good() ? 0 : fail("cannot write the key");
  }
  if (argc != 2 && argc != 3) return fail("wrong arguments");
  return sign(argv[1], argc == 3 ? argv[2] : nullptr);
}

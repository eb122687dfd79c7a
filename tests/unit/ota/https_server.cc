#include "tests/unit/ota/https_server.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdio>

#include "proto/result.h"

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

struct Pair {
  Key key{nullptr, EVP_PKEY_free};
  Certificate certificate{nullptr, X509_free};
};

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  FLEET_ASSERT(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// `issuer` null: a CA that signs itself.
Pair make_pair(const char* name, const Pair* issuer, long from_s, long to_s, const char* san) {
  static long serial = 1;
  Pair made;
  made.key.reset(EVP_EC_gen("P-256"));
  made.certificate.reset(X509_new());
  X509* certificate = made.certificate.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), to_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509* signer = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  X509_set_pubkey(certificate, made.key.get());
  add_extension(certificate, signer, NID_basic_constraints,
                issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (san != nullptr) add_extension(certificate, signer, NID_subject_alt_name, san);
  EVP_PKEY* signing = issuer != nullptr ? issuer->key.get() : made.key.get();
  FLEET_ASSERT(X509_sign(certificate, signing, EVP_sha256()) > 0);
  return made;
}

std::string write_certificate(const std::string& path, const Pair& pair) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  FLEET_ASSERT(file != nullptr && PEM_write_X509(file, pair.certificate.get()) == 1);
  std::fclose(file);
  return path;
}

std::string write_key(const std::string& path, const Pair& pair) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  FLEET_ASSERT(file != nullptr);
  FLEET_ASSERT(PEM_write_PrivateKey(file, pair.key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
               1);
  std::fclose(file);
  return path;
}

std::string header_of(const std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

}  // namespace

TestPki::TestPki(const std::string& directory) {
  constexpr long kDay = 86'400;
  const Pair ca = make_pair("test CA", nullptr, -kDay, kDay, nullptr);
  const Pair other = make_pair("other CA", nullptr, -kDay, kDay, nullptr);
  const Pair server = make_pair("server", &ca, -kDay, kDay, "DNS:controller.test");
  const Pair expired = make_pair("expired", &ca, -3 * kDay, -2 * kDay, "DNS:controller.test");
  const Pair client = make_pair("device", &ca, -kDay, kDay, nullptr);
  const Pair foreign = make_pair("stranger", &other, -kDay, kDay, nullptr);
  ca_file = write_certificate(directory + "/ca.pem", ca);
  other_ca_file = write_certificate(directory + "/other.pem", other);
  server_certificate = write_certificate(directory + "/server.pem", server);
  server_key = write_key(directory + "/server.key", server);
  expired_certificate = write_certificate(directory + "/expired.pem", expired);
  expired_key = write_key(directory + "/expired.key", expired);
  client_certificate = write_certificate(directory + "/client.pem", client);
  client_key = write_key(directory + "/client.key", client);
  foreign_certificate = write_certificate(directory + "/foreign.pem", foreign);
  foreign_key = write_key(directory + "/foreign.key", foreign);
}

void TestRequest::send(const std::string& bytes) const {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const int wrote = SSL_write(tls, bytes.data() + sent, static_cast<int>(bytes.size() - sent));
    if (wrote <= 0) return;
    sent += static_cast<std::size_t>(wrote);
  }
}

void TestRequest::answer(int status, const std::string& body, const std::string& extra) const {
  send("HTTP/1.1 " + std::to_string(status) + " Said\r\nContent-Length: " +
       std::to_string(body.size()) + "\r\n" + extra + "\r\n" + body);
}

HttpsServer::HttpsServer(const Options& options, Handler handler)
    : options_(options), handler_(std::move(handler)) {
  ::signal(SIGPIPE, SIG_IGN);
  listener_ = proto::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  FLEET_ASSERT(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  FLEET_ASSERT(::listen(listener_.get(), 8) == 0);
  FLEET_ASSERT(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread(&HttpsServer::serve, this);
}

HttpsServer::~HttpsServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  if (const int connection = current_; connection >= 0) ::shutdown(connection, SHUT_RDWR);
  thread_.join();
}

void HttpsServer::serve() {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate_file(context, options_.certificate.c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_use_PrivateKey_file(context, options_.key.c_str(), SSL_FILETYPE_PEM);
  if (!options_.client_ca.empty()) {
    SSL_CTX_load_verify_file(context, options_.client_ca.c_str());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  const unsigned char id[] = {1};
  SSL_CTX_set_session_id_context(context, id, sizeof id);  // else no resumption with client certs
  while (!stopping_) {
    const proto::Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) break;
    current_ = connection.get();
    ++connections_;
    SSL* tls = SSL_new(context);
    SSL_set_fd(tls, connection.get());
    if (SSL_accept(tls) == 1) {
      talk(tls);
    } else {
      // Unread bytes would make close() a reset, which takes our alert away from the client.
      ::shutdown(connection.get(), SHUT_WR);
      char rest[4096];
      while (::recv(connection.get(), rest, sizeof rest, 0) > 0) {
      }
    }
    current_ = -1;
    SSL_free(tls);
  }
  SSL_CTX_free(context);
}

void HttpsServer::talk(ssl_st* tls) {
  std::string buffer;
  while (!stopping_) {
    std::size_t end = buffer.find("\r\n\r\n");
    while (end == std::string::npos) {
      char piece[4096];
      const int got = SSL_read(tls, piece, sizeof piece);
      if (got <= 0) return;
      buffer.append(piece, static_cast<std::size_t>(got));
      end = buffer.find("\r\n\r\n");
    }
    const std::string head = buffer.substr(0, end + 2);
    buffer.erase(0, end + 4);
    const std::size_t from = head.find(' ') + 1;
    const TestRequest request{head.substr(from, head.find(' ', from) - from),
                              header_of(head, "Range"), tls};
    if (!handler_(request)) return;
  }
}

// fetch: the real fleet-fetch against a server on loopback that behaves badly in every way we know.
#include "ota/fetch.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <chrono>
#include <future>
#include <span>

#include "ota/blobs.h"
#include "tests/unit/ota/https_server.h"
#include "tests/unit/ota/temp_dir.h"

namespace ota {
namespace {

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

const std::string kContent = text_of(100'000);

// What the server does with a path.
bool handle(const TestRequest& request) {
  const std::string length = "Content-Length: 100000\r\n\r\n";
  if (request.path == "/good") {
    std::size_t from = 0;
    if (!request.range.empty()) from = std::stoul(request.range.substr(6));
    const std::string range = "Content-Range: bytes " + std::to_string(from) + "-99999/100000\r\n";
    request.answer(from > 0 ? 206 : 200, kContent.substr(from), from > 0 ? range : "");
  } else if (request.path == "/no-ranges" || request.path == "/a/../b//%2e") {
    request.answer(200, kContent);
  } else if (request.path == "/wrong-range") {
    request.answer(206, kContent.substr(7), "Content-Range: bytes 7-99999/100000\r\n");
  } else if (request.path == "/unasked-range") {
    request.answer(206, kContent.substr(7), "Content-Range: bytes 0-99999/100000\r\n");
  } else if (request.path.rfind("/cut-at-", 0) == 0) {
    // Forty bytes, cut as many bytes into the body as the path says; a range is served whole.
    const std::string body = kContent.substr(0, 40);
    if (!request.range.empty()) {
      const std::size_t from = std::stoul(request.range.substr(6));
      const std::string range = "Content-Range: bytes " + std::to_string(from) + "-39/40\r\n";
      request.answer(206, body.substr(from), range);
      return true;
    }
    const std::size_t cut = std::stoul(request.path.substr(8));
    request.send("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + body.substr(0, cut));
    return false;
  } else if (request.path == "/cut") {
    request.send("HTTP/1.1 200 OK\r\n" + length + kContent.substr(0, 60'000));
    return false;
  } else if (request.path == "/short") {
    request.answer(200, kContent.substr(0, 99'999));
  } else if (request.path == "/long") {
    request.answer(200, kContent + "!");
  } else if (request.path == "/endless" || request.path == "/chunked-short") {
    request.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const int chunks = request.path == "/endless" ? 1000 : 3;
    for (int i = 0; i < chunks; ++i) request.send("1000\r\n" + kContent.substr(0, 4096) + "\r\n");
    request.send("0\r\n\r\n");
  } else if (request.path == "/slow") {
    request.send("HTTP/1.1 200 OK\r\n" + length + "x");
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    return false;
  } else if (request.path == "/empty") {
    request.answer(200, "");
  } else if (request.path == "/redirect") {
    request.answer(302, "", "Location: /good\r\n");
  } else {
    const int status = std::stoi(request.path.substr(1));
    request.answer(status, status == 500 ? std::string(100'000, 'e') : "an error page");
  }
  return true;
}

class FetchTest : public ::testing::Test {
 protected:
  FetchOptions options(std::uint16_t port) {
    FetchOptions made;
    made.program = FLEET_FETCH_PROGRAM;
    made.host_name = "controller.test";
    made.address = "127.0.0.1";
    made.port = port;
    made.ca_file = pki_.ca_file;
    made.certificate_file = pki_.client_certificate;
    made.key_file = pki_.client_key;
    made.low_speed_ms = 1000;
    return made;
  }
  HttpsServer::Options serving() {
    return {pki_.server_certificate, pki_.server_key, pki_.ca_file};
  }
  static Fd memory() { return Fd(::memfd_create("test", MFD_CLOEXEC)); }
  static std::string content(const Fd& file) {
    std::string text(static_cast<std::size_t>(size_of(file).value()), '\0');
    FLEET_ASSERT(read_at(file, 0, std::as_writable_bytes(std::span(text))).value() == text.size());
    return text;
  }
  static FetchRequest want(const std::string& path, std::uint64_t offset = 0,
                           std::uint64_t expected = 100'000) {
    FetchRequest request;
    request.path = path;
    request.offset_bytes = offset;
    request.expected_bytes = expected;
    request.deadline_ms = 10'000;
    return request;
  }
  static Code code_of(const Result<FetchDone>& result) {
    return result ? Code::unset : result.error().code;
  }

  TempDir directory_;
  TestPki pki_{directory_.path()};
};

TEST_F(FetchTest, ManyRequestsRideOnOneConnection) {
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  for (const char* path : {"/good", "/404", "/good", "/no-ranges", "/a/../b//%2e"}) {
    const Fd file = memory();
    auto done = session.fetch(want(path), file);
    if (std::string(path) == "/404") {
      EXPECT_EQ(code_of(done), Code::not_found);
      continue;
    }
    ASSERT_TRUE(done) << done.error().what;
    EXPECT_EQ(done->file_bytes, 100'000u);
    EXPECT_EQ(content(file), kContent) << path;
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(FetchTest, AFetchGoesOnWhereItStopped) {
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  const Fd file = memory();
  EXPECT_EQ(code_of(session.fetch(want("/cut"), file)), Code::closed);
  ASSERT_EQ(size_of(file).value(), 60'000u);
  auto done = session.fetch(want("/good", 60'000), file);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->received_bytes, 40'000u);
  EXPECT_EQ(content(file), kContent);
}

TEST_F(FetchTest, AServerWithoutRangesIsTakenFromTheStart) {
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  const Fd file = memory();
  const std::string old(60'000, 'z');
  ASSERT_TRUE(write_at(file, 0, std::as_bytes(std::span(old))));
  auto done = session.fetch(want("/no-ranges", 60'000), file);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->received_bytes, 100'000u);
  EXPECT_EQ(content(file), kContent);
}

TEST_F(FetchTest, AFileThatIsWholeIsNotAskedFor) {
  FetchSession session(options(1));
  auto done = session.fetch(want("/good", 100'000), memory());
  ASSERT_TRUE(done);
  EXPECT_EQ(done->received_bytes, 0u);
}

TEST_F(FetchTest, EveryBadAnswerHasItsCode) {
  struct Case {
    const char* path;
    std::uint64_t offset;
    std::uint64_t expected;
    std::uint64_t max;
    Code code;
  };
  const std::vector<Case> cases = {
      {"/404", 0, 100'000, 0, Code::not_found},
      {"/403", 0, 100'000, 0, Code::forbidden},
      {"/401", 0, 100'000, 0, Code::unauthenticated},
      {"/400", 0, 100'000, 0, Code::bad_argument},
      {"/416", 5, 100'000, 0, Code::bad_digest},
      {"/429", 0, 100'000, 0, Code::unavailable},
      {"/500", 0, 100'000, 0, Code::unavailable},
      {"/503", 0, 100'000, 0, Code::unavailable},
      {"/redirect", 0, 100'000, 0, Code::unavailable},
      {"/cut", 0, 100'000, 0, Code::closed},
      {"/short", 0, 100'000, 0, Code::bad_digest},
      {"/long", 0, 100'000, 0, Code::bad_digest},
      {"/endless", 0, 100'000, 0, Code::bad_digest},
      {"/chunked-short", 0, 100'000, 0, Code::bad_digest},
      {"/empty", 0, 100'000, 0, Code::bad_digest},
      {"/wrong-range", 5, 100'000, 0, Code::unavailable},
      {"/unasked-range", 0, 100'000, 0, Code::unavailable},
      {"/good", 0, 0, 99'999, Code::too_large},
      {"/good", 0, 0, 100'000, Code::unset},
      {"/endless", 0, 0, 5000, Code::too_large},
      {"/empty", 0, 0, 5000, Code::unset},
      {"/slow", 0, 100'000, 0, Code::timeout},
  };
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  for (const Case& one : cases) {
    FetchRequest request = want(one.path, one.offset, one.expected);
    request.max_bytes = one.max;
    const Fd file = memory();
    auto done = session.fetch(request, file);
    EXPECT_EQ(code_of(done), one.code) << one.path << (done ? "" : done.error().what);
    const std::uint64_t cap = one.expected != 0 ? one.expected : one.max;
    EXPECT_LE(size_of(file).value(), cap) << one.path;
  }
}

TEST_F(FetchTest, TheDeadlineHolds) {
  HttpsServer server(serving(), handle);
  FetchOptions patient = options(server.port());
  patient.low_speed_ms = 20'000;
  FetchSession session(patient);
  FetchRequest request = want("/slow");
  request.deadline_ms = 300;
  EXPECT_EQ(code_of(session.fetch(request, memory())), Code::timeout);
}

TEST_F(FetchTest, TlsChecksChainNameAndClientButNoDates) {
  struct Case {
    const char* sentence;
    HttpsServer::Options server;
    std::string name;
    std::string ca;
    std::string certificate;
    std::string key;
    Code code;
  };
  const auto& p = pki_;
  const HttpsServer::Options good = serving();
  const HttpsServer::Options expired = {p.expired_certificate, p.expired_key, p.ca_file};
  const std::string name = "controller.test";
  const std::vector<Case> cases = {
      {"all good", good, name, p.ca_file, p.client_certificate, p.client_key, Code::unset},
      {"an expired server is taken", expired, name, p.ca_file, p.client_certificate, p.client_key,
       Code::unset},
      {"another name", good, "other.test", p.ca_file, p.client_certificate, p.client_key,
       Code::unauthenticated},
      {"another CA", good, name, p.other_ca_file, p.client_certificate, p.client_key,
       Code::unauthenticated},
      {"no client certificate", good, name, p.ca_file, "", "", Code::unauthenticated},
      {"a stranger's certificate", good, name, p.ca_file, p.foreign_certificate, p.foreign_key,
       Code::unauthenticated},
      {"a CA file that is not there", good, name, "/nonexistent/ca.pem", p.client_certificate,
       p.client_key, Code::unauthenticated},
  };
  for (const Case& one : cases) {
    HttpsServer server(one.server, handle);
    FetchOptions made = options(server.port());
    made.host_name = one.name;
    made.ca_file = one.ca;
    made.certificate_file = one.certificate;
    made.key_file = one.key;
    FetchSession session(made);
    auto done = session.fetch(want("/good"), memory());
    EXPECT_EQ(code_of(done), one.code) << one.sentence << (done ? "" : done.error().what);
  }
}

TEST_F(FetchTest, AClosedPortIsUnreachable) {
  std::uint16_t port = 0;
  { port = HttpsServer(serving(), handle).port(); }
  FetchSession session(options(port));
  EXPECT_EQ(code_of(session.fetch(want("/good"), memory())), Code::unreachable);
}

TEST_F(FetchTest, AMissingProgramIsSaid) {
  FetchOptions made = options(1);
  made.program = "/nonexistent/fleet-fetch";
  FetchSession session(made);
  auto done = session.fetch(want("/good"), memory());
  EXPECT_EQ(code_of(done), Code::start_failed);
  EXPECT_NE(done.error().what.find("/nonexistent/fleet-fetch"), std::string::npos);
}

TEST_F(FetchTest, BadRequestsNeverLeave) {
  FetchSession session(options(1));
  FetchRequest no_size = want("/good", 0, 0);
  FetchRequest no_deadline = want("/good");
  no_deadline.deadline_ms = 0;
  for (const FetchRequest& request :
       {want("good"), want("/a b"), want("/a\r\nHost: x"), want("/" + std::string(5000, 'a')),
        want("/good", 100'001), no_size, no_deadline}) {
    EXPECT_EQ(code_of(session.fetch(request, memory())), Code::bad_argument) << request.path;
  }
  EXPECT_EQ(session.process_id(), -1);
}

TEST_F(FetchTest, TlsIsLeftOutOnlyWhereNothingSpeaksOfIt) {
  FetchOptions made = options(1);
  made.without_tls = true;  // and a CA file: which of the two was meant?
  FetchSession both(made);
  EXPECT_EQ(code_of(both.fetch(want("/good"), memory())), Code::bad_argument);
  made.without_tls = false;
  made.ca_file.clear();
  FetchSession neither(made);
  EXPECT_EQ(code_of(neither.fetch(want("/good"), memory())), Code::bad_argument);
  HttpsServer server(serving(), handle);
  FetchOptions plain = options(server.port());
  plain.without_tls = true;
  plain.ca_file.clear();
  FetchSession session(plain);
  EXPECT_NE(code_of(session.fetch(want("/good"), memory())), Code::unset);
}

TEST_F(FetchTest, ADeathInTheMiddleIsAnErrorAndTheNextRequestStartsAnother) {
  HttpsServer server(serving(), handle);
  FetchOptions patient = options(server.port());
  patient.low_speed_ms = 20'000;
  FetchSession session(patient);
  FetchRequest request = want("/slow");
  request.progress = [&](std::uint64_t) { ::kill(session.process_id(), SIGKILL); };
  EXPECT_EQ(code_of(session.fetch(request, memory())), Code::closed);
  EXPECT_EQ(session.process_id(), -1);
  auto again = session.fetch(want("/good"), memory());
  EXPECT_TRUE(again) << again.error().what;
}

TEST_F(FetchTest, ADeathBetweenRequestsIsNotSeen) {
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  ASSERT_TRUE(session.fetch(want("/good"), memory()));
  const pid_t first = session.process_id();
  ::kill(first, SIGKILL);
  siginfo_t info = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(first), &info, WEXITED | WNOWAIT), 0);
  auto again = session.fetch(want("/good"), memory());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_NE(session.process_id(), first);
}

TEST_F(FetchTest, CancelEndsAWaitAndWhatComesAfter) {
  HttpsServer server(serving(), handle);
  FetchOptions patient = options(server.port());
  patient.low_speed_ms = 20'000;
  FetchSession session(patient);
  FetchRequest request = want("/slow");
  std::promise<void> began;
  bool told = false;
  request.progress = [&](std::uint64_t) {
    if (!told) began.set_value();
    told = true;
  };
  auto running = std::async(std::launch::async,
                            [&] { return code_of(session.fetch(request, memory())); });
  began.get_future().wait();
  session.cancel();
  EXPECT_EQ(running.get(), Code::cancelled);
  EXPECT_EQ(code_of(session.fetch(want("/good"), memory())), Code::cancelled);
}

TEST_F(FetchTest, SmallFilesComeIntoMemory) {
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  auto bytes = fetch_to_memory(session, "/good", 100'000);
  ASSERT_TRUE(bytes) << bytes.error().what;
  EXPECT_EQ(bytes->size(), 100'000u);
  EXPECT_EQ(fetch_to_memory(session, "/good", 99'999).error().code, Code::too_large);
  EXPECT_EQ(fetch_to_memory(session, "/404", 10).error().code, Code::not_found);
}

TEST_F(FetchTest, ABlobExchangedOnTheWireIsNeverPublished) {
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  auto disk = RealDisk::open(directory_.path()).value();
  Blobs blobs(*disk);
  ASSERT_TRUE(blobs.prepare());
  std::string signed_content = kContent;
  signed_content[77'777] = '!';
  const BlobRef wanted{sha256(signed_content), signed_content.size()};
  auto partial = blobs.begin(wanted);
  ASSERT_TRUE(partial) << partial.error().what;
  ASSERT_TRUE(session.fetch(want("/good"), partial->file()));
  session.end();
  EXPECT_EQ(blobs.finish(std::move(*partial)).error().code, Code::bad_digest);
  EXPECT_FALSE(blobs.has(wanted));
  EXPECT_TRUE(disk->list("partial").value().empty());

  const BlobRef right{sha256(kContent), kContent.size()};
  auto again = blobs.begin(right);
  ASSERT_TRUE(session.fetch(want("/good"), again->file()));
  session.end();
  EXPECT_TRUE(blobs.finish(std::move(*again)));
  EXPECT_TRUE(blobs.open_verified(right));
}

TEST_F(FetchTest, ADeltaIsAppliedInTheProcess) {
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  const std::string image = kContent.substr(0, 50'000) + "new" + kContent.substr(50'000);
  const auto bytes = [](const std::string& text) { return std::as_bytes(std::span(text)); };
  const auto delta = make_delta(bytes(kContent), bytes(image), image.size());
  ASSERT_TRUE(delta);
  const Fd base = memory();
  const Fd patch = memory();
  const Fd output = memory();
  ASSERT_TRUE(write_at(base, 0, bytes(kContent)));
  ASSERT_TRUE(write_at(patch, 0, *delta));
  const Status applied = session.apply({base, patch, output, image.size()});
  ASSERT_TRUE(applied) << applied.error().what;
  EXPECT_EQ(content(output), image);
  const pid_t first = session.process_id();

  // A compressed image has no base.
  const auto compressed = make_delta({}, bytes(std::string(70'000, 'x')), 1000);
  ASSERT_TRUE(compressed);
  const Fd packed = memory();
  ASSERT_TRUE(write_at(packed, 0, *compressed));
  ASSERT_TRUE(session.apply({Fd(), packed, output, 70'000}));
  EXPECT_EQ(content(output), std::string(70'000, 'x'));

  // A broken one is told, the process works on, and so does a fetch after it.
  ASSERT_EQ(::ftruncate(patch.get(), 20), 0);
  EXPECT_EQ(session.apply({base, patch, output, image.size()}).error().code, Code::bad_digest);
  EXPECT_EQ(size_of(output).value(), 0u);
  EXPECT_TRUE(session.fetch(want("/good"), memory()));
  EXPECT_EQ(session.process_id(), first);

  // An output that cannot be written.
  const Fd sealed(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_FALSE(session.apply({base, base, sealed, image.size()}));
  session.cancel();
  EXPECT_EQ(session.apply({base, patch, output, image.size()}).error().code, Code::cancelled);
}

TEST_F(FetchTest, CutAtAnyByteNoneComesTwice) {
  HttpsServer server(serving(), handle);
  for (int cut = 0; cut < 40; ++cut) {
    SCOPED_TRACE(cut);
    FetchSession session(options(server.port()));
    const Fd file = memory();
    const std::string path = "/cut-at-" + std::to_string(cut);
    EXPECT_EQ(code_of(session.fetch(want(path, 0, 40), file)), Code::closed);
    ASSERT_EQ(size_of(file).value(), static_cast<std::uint64_t>(cut));
    if (cut == 0) continue;  // nothing to go on from
    const auto done = session.fetch(want(path, static_cast<std::uint64_t>(cut), 40), file);
    ASSERT_TRUE(done) << done.error().what;
    EXPECT_EQ(done->received_bytes, static_cast<std::uint64_t>(40 - cut));
    EXPECT_EQ(content(file), kContent.substr(0, 40));
  }
}

TEST_F(FetchTest, ARateIsKeptAndIsNoReasonToGiveUp) {
  HttpsServer server(serving(), handle);
  FetchOptions strict = options(server.port());
  strict.low_speed_bytes_per_s = 1000;  // for a second at most; the rate is just above it
  FetchSession session(strict);
  FetchRequest request = want("/good", 96'000);
  request.rate_bytes_per_s = 2000;
  std::uint64_t last = 0;
  int steps = 0;
  request.progress = [&](std::uint64_t file_bytes) {
    steps += file_bytes > last ? 1 : 0;
    last = file_bytes;
  };
  const Fd file = memory();
  ASSERT_TRUE(write_at(file, 0, std::as_bytes(std::span(kContent.data(), 96'000))));
  const auto began = std::chrono::steady_clock::now();
  const auto done = session.fetch(request, file);
  const auto took = std::chrono::steady_clock::now() - began;
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(content(file), kContent);
  EXPECT_GE(took, std::chrono::milliseconds(2000)) << "4,000 bytes at 2,000 a second";
  EXPECT_GE(steps, 3) << "evenly";
}

TEST_F(FetchTest, NoByteComesOverTheBudget) {
  HttpsServer server(serving(), handle);
  FetchSession session(options(server.port()));
  FetchRequest request = want("/good");
  request.max_received_bytes = 100'000;
  EXPECT_TRUE(session.fetch(request, memory()));
  request.max_received_bytes = 99'999;
  const Fd file = memory();
  EXPECT_EQ(code_of(session.fetch(request, file)), Code::budget);
  EXPECT_LE(size_of(file).value(), 99'999u);
  // A server that ignores the range must not make us pay twice.
  request = want("/no-ranges", 60'000);
  request.max_received_bytes = 40'000;
  EXPECT_EQ(code_of(session.fetch(request, memory())), Code::budget);
}

}  // namespace
}  // namespace ota

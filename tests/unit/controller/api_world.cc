#include "tests/unit/controller/api_world.h"

#include <span>
#include <utility>

namespace controller {
namespace {

proto::awaitable<void> run_handler(Handler& handler, Request request, Response& out) {
  out = co_await handler.handle(std::move(request));
}

proto::awaitable<void> run_upload(Handler& handler, Request head, std::string bytes,
                                  std::size_t cut_bytes, Response& out) {
  UploadStart start = co_await handler.start_upload(std::move(head));
  if (!start.upload) {
    out = std::move(start.refusal);
    co_return;
  }
  const auto span = std::as_bytes(std::span(bytes)).subspan(0, bytes.size() - cut_bytes);
  const Status written = start.upload->write(span);
  if (!written) {
    out = error_response(written.error());
    co_return;
  }
  if (cut_bytes > 0) co_return;  // the client went away
  out = co_await start.upload->finish();
}

}  // namespace

ApiWorld::ApiWorld() {
  const Parts parts{*world.store,     *world.events, *world.fleet, *consoles, *flights,
                    *world.metadata,  *world.enrolment, *sessions, *world.pushes,
                    *world.blobs,     pool,          world.clock,  0, metrics};
  operators = std::make_unique<OperatorApi>(parts);
  devices = std::make_unique<DeviceApi>(parts);
  for (const char* role : {"viewer", "deployer", "admin"}) {
    EXPECT_TRUE(world.store->add_api_token(ota::hash_token(role).hex(), {role, role}));
  }
}

void ApiWorld::run(proto::awaitable<void> task) {
  proto::TaskGroup tasks(loop);
  tasks.spawn("test", std::move(task));
  loop.restart();
  proto::run_loop(loop);
  ASSERT_EQ(tasks.size(), 0u) << "the handler waits for something";
}

Request ApiWorld::request(const std::string& method, const std::string& path,
                          const std::string& token, const std::string& body) {
  Request out;
  out.method = method;
  out.path = path;
  out.bearer = token;
  out.body = body;
  return out;
}

Response ApiWorld::ask(Request head) {
  Response out;
  run(run_handler(*operators, std::move(head), out));
  return out;
}

Response ApiWorld::ask_as_device(Request head) {
  Response out;
  run(run_handler(*devices, std::move(head), out));
  return out;
}

Response ApiWorld::ask(const std::string& method, const std::string& path,
                       const std::string& token, const std::string& body) {
  return ask(request(method, path, token, body));
}

Response ApiWorld::upload(Request head, const std::string& bytes, std::size_t cut_bytes) {
  Response out;
  out.status = 0;
  run(run_upload(*operators, std::move(head), bytes, cut_bytes, out));
  return out;
}

Response ApiWorld::upload(const std::string& name, const std::string& bytes,
                          std::size_t cut_bytes, const std::string& token) {
  Request head = request("PUT", "/v1/blobs/" + name, token);
  head.content_length = bytes.size();
  head.has_content_length = true;
  return upload(std::move(head), bytes, cut_bytes);
}

}  // namespace controller

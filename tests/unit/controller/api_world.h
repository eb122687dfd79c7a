// The routes of a controller without network, asked as its listeners would.
#pragma once

#include <memory>
#include <string>

#include "controller/api.h"
#include "tests/unit/controller/linked_world.h"

namespace controller {

struct ApiWorld : LinkedWorld {
  /// Three tokens, whose text is their role: viewer, deployer, admin.
  ApiWorld();

  /// Runs until nothing is left to do; the task must have ended then.
  void run(proto::awaitable<void> task);
  static Request request(const std::string& method, const std::string& path,
                         const std::string& token, const std::string& body = "");
  Response ask(Request head);
  /// The same of the devices' listener.
  Response ask_as_device(Request head);
  Response ask(const std::string& method, const std::string& path, const std::string& token,
               const std::string& body = "");
  /// The last `cut_bytes` never come; status 0: nobody was there to answer.
  Response upload(Request head, const std::string& bytes, std::size_t cut_bytes);
  Response upload(const std::string& name, const std::string& bytes, std::size_t cut_bytes = 0,
                  const std::string& token = "deployer");

  Metrics metrics;
  std::unique_ptr<OperatorApi> operators;
  std::unique_ptr<DeviceApi> devices;
};

}  // namespace controller

// The routes of a controller without network, asked as its listeners would.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "controller/api.h"
#include "tests/unit/controller/world.h"

namespace controller {

struct ApiWorld {
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

  World world;
  boost::asio::io_context loop{1};
  proto::BlockingPool hashing{"hashing", proto::BlockingPool::Mode::in_line};
  std::unique_ptr<ota::RealDisk> console_disk;
  std::unique_ptr<Consoles> consoles;
  std::unique_ptr<ota::RealDisk> flight_disk;
  std::unique_ptr<Flights> flights;
  std::unique_ptr<Sessions> sessions;
  Metrics metrics;
  std::unique_ptr<OperatorApi> operators;
  std::unique_ptr<DeviceApi> devices;
};

}  // namespace controller

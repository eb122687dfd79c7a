// A controller without network, with what its devices' links need.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "controller/sessions.h"
#include "tests/unit/controller/world.h"

namespace controller {

struct LinkedWorld {
  LinkedWorld();

  World world;
  boost::asio::io_context loop{1};
  proto::BlockingPool pool{"blocking", proto::BlockingPool::Mode::in_line};
  std::unique_ptr<ota::RealDisk> console_disk;
  std::unique_ptr<Consoles> consoles;
  std::unique_ptr<ota::RealDisk> flight_disk;
  std::unique_ptr<Flights> flights;
  std::unique_ptr<Sessions> sessions;
};

}  // namespace controller

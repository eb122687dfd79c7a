// `fleet-agent status`: the running agent answers over a socket in its state directory with one
// JSON document, the Device resource of device.proto, and closes. Without one the stored state is
// read.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "agent/agent.h"
#include "agent/credentials.h"
#include "fleet/v1/device.pb.h"

namespace agent {

inline constexpr const char* kStatusSocket = "agent.sock";

/// What a running agent says of itself.
fleet::v1::Device describe_device(Agent& agent, const Identity& identity);

/// Answers until it is cancelled. Who may open the directory may ask. errors io (cannot listen)
proto::awaitable<proto::Status> serve_status(boost::asio::io_context& loop, Agent& agent,
                                             const Identity& identity, std::string socket_path);

/// Asks a running agent. errors unreachable (none runs) | io
proto::Result<fleet::v1::Device> ask_status(const std::string& state_dir);
/// The state of an agent that does not run, from its database. errors as State::open
proto::Result<fleet::v1::Device> stored_status(const std::string& state_dir,
                                               const Identity& identity);

/// The text for a terminal. `running` is false for stored_status().
std::string describe(const fleet::v1::Device& device, bool running);

}  // namespace agent

// The launcher's one socket and its loop: who may connect, one request at a time per connection,
// events without ever waiting for a slow reader.
#pragma once

#include <poll.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/launcher/flows.h"
#include "agent/launcher/host.h"
#include "agent/launcher/instances.h"

namespace launcher {

class Server {
 public:
  struct Parts {
    const Conf& conf;
    Host& host;
    Nft& nft;
    Instances& instances;
    Bypasses& bypasses;
  };
  Server(const Parts& parts, bool cgroups);

  /// Makes the socket for the agent's user alone. Errors: io; conflict if it is in use.
  proto::Status listen();
  /// Serves until `signals` (a signalfd of SIGCHLD, SIGTERM, SIGINT) brings an end.
  proto::Status run(const Fd& signals);
  /// Removes the socket's name.
  void close();

 private:
  struct Client {
    Fd fd;
    bool events = false;
    // What is still to be told, so that a slow reader costs no memory: at most two per instance.
    std::map<std::string, std::uint32_t> pending;  // id -> bits of 1 << EventKind
    bool closed = false;
  };

  void accept_client();
  void serve(Client& client);
  void answer(Client& client, const std::vector<char>& packet, const std::vector<Fd>& files);
  proto::Status dispatch(Operation operation, const std::vector<char>& packet,
                         const std::vector<Fd>& files, std::vector<char>& reply);
  void fill_info(InfoReply& reply) const;
  proto::Status publish(const PublishRequest& request);
  proto::Status flush(const FlushRequest& request);
  proto::Status bypass(const BypassRequest& request);
  std::vector<LateAnswer> late_answers(const std::vector<StaleFlow>& flows) const;
  /// Takes the late answers' rules back when their time is over; milliseconds until then, or -1.
  int end_late_answers();
  void tell(const std::string& id, EventKind kind);
  void flush_events(Client& client);
  bool take_signals(const Fd& signals);
  std::vector<pollfd> poll_set(const Fd& signals) const;
  void serve_serials(const pollfd* polled);
  int reopen_serials();

  const Conf& conf_;
  Host& host_;
  Nft& nft_;
  Instances& instances_;
  Bypasses& bypasses_;
  bool cgroups_;
  std::uint64_t boot_ms_;
  Fd listener_;
  std::vector<Client> clients_;
  std::vector<WirePort> published_;
  std::vector<WirePort> published_before_;  // by the list before: where late answers come from
  std::uint64_t late_until_ms_ = 0;         // 0 = no late answers are awaited
};

}  // namespace launcher

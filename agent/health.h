// The network probes of the real world: tcp, http, dns and icmp against the guest's own address.
// It never resolves a name and never follows a redirect or a referral.
#pragma once

#include "agent/ports.h"

namespace boost::asio {
class io_context;
}

namespace agent {

class NetworkProber final : public Prober {
 public:
  /// Both outlive it.
  NetworkProber(boost::asio::io_context& loop, proto::Clock& clock) : loop_(loop), clock_(clock) {}

  proto::awaitable<ProbeResult> probe(fleet::v1::Health health, Ipv4 guest,
                                      proto::Deadline deadline) override;

 private:
  proto::awaitable<proto::Status> tcp(Ipv4 guest, std::uint16_t port, proto::Deadline deadline);
  proto::awaitable<proto::Status> http(fleet::v1::Health health, Ipv4 guest,
                                       proto::Deadline deadline);
  proto::awaitable<proto::Status> icmp(Ipv4 guest, proto::Deadline deadline);
  proto::awaitable<proto::Status> dns(fleet::v1::Health health, Ipv4 guest,
                                      proto::Deadline deadline);

  boost::asio::io_context& loop_;
  proto::Clock& clock_;
};

}  // namespace agent

// The table of instances: what runs, with its taps, rules, console and end. One thread; every wait
// is the server's poll. It alone starts, signals and reaps monitors.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/launcher/bypasses.h"
#include "agent/launcher/cgroup.h"
#include "agent/launcher/conf.h"
#include "agent/launcher/console_ring.h"
#include "agent/launcher/fd.h"
#include "agent/launcher/leftovers.h"
#include "agent/launcher/links.h"
#include "agent/launcher/messages.h"
#include "agent/launcher/nft.h"
#include "agent/launcher/nft_rules.h"
#include "agent/launcher/serial.h"

namespace launcher {

struct Entry {
  std::string id;
  std::string tag;
  std::uint32_t slot = 0;
  pid_t pid = 0;                    // 0 once reaped
  int wait_status = 0;
  bool stop_asked = false;
  bool killed = false;
  bool limit = false;
  bool ports_up = false;
  std::uint64_t started_ms = 0;
  std::uint64_t exited_ms = 0;
  std::uint64_t kill_at_ms = 0;     // 0 = no deadline
  std::uint64_t take_down_at_ms = 0;  // of an ended one whose taps and rules are still there
  std::uint64_t cpu_ms = 0;         // final, once reaped
  std::vector<WireInterface> interfaces;
  std::vector<std::string> tap_names;
  std::vector<Fd> taps;             // a tap lives as long as this and the monitor's copy
  std::vector<std::unique_ptr<SerialLine>> serials;
  GuestRules rules;
  bool rules_loaded = false;
  std::uint64_t start_ticks = 0;    // of the process, so that a pid used again is not taken for it
  Fd console;
  ConsoleRing ring;
  Fd report_pipe;                   // a tender's; its word is read at the end
  std::string report;
  bool data_told = false;           // the agent knows that there is more to read
};

/// What the rest of the launcher lends to the table.
struct Parts {
  const Conf& conf;
  Links& links;
  Nft& nft;
  Cgroups& cgroups;
  Leftovers& leftovers;
  Bypasses& bypasses;
};

class Instances {
 public:
  explicit Instances(const Parts& parts) : parts_(parts) {}

  /// `request` passed check_request(); conf is asked here. On an error nothing is left.
  proto::Status start(const StartRequest& request, const std::vector<Fd>& files);
  proto::Status stop(std::string_view id, std::uint32_t grace_ms);
  proto::Status kill(std::string_view id);
  proto::Status remove(std::string_view id);
  /// Also conflict where another instance forwards between the same bridges: that is a loop.
  proto::Status set_ports(std::string_view id, bool up);
  proto::Status hand_over(std::string_view from, std::string_view to);
  /// The bridges of the host between which a running instance forwards, its ports up.
  std::vector<BridgePair> forwarded() const;
  proto::Status read_console(std::string_view id, std::uint64_t offset, ReadConsoleReply& reply);
  proto::Status read_report(std::string_view id, ReadReportReply& reply);
  /// The page of the table that begins with the first instance at or above that slot.
  void fill(std::uint32_t first_slot, ListReply& reply) const;

  /// Reaps what ended; returns the ids.
  std::vector<std::string> reap();
  /// Empties a console pipe into its ring; true if the agent is to be told of new data.
  bool drain(Entry& entry);
  /// Sends the SIGKILLs that are due; milliseconds until the next one, -1 for none.
  int run_deadlines();
  /// Takes down the taps, rules and cgroup of one guest that ended a while ago; milliseconds until
  /// the next one, -1 for none. Not at the end itself: it holds the kernel's network lock for tens
  /// of milliseconds, just when the agent leads the ports elsewhere.
  int tidy_one();
  /// Kills all, waits for their end, removes taps and rules.
  void stop_all();

  std::vector<std::unique_ptr<Entry>>& entries() { return entries_; }

 private:
  Entry* find(std::string_view id);
  /// errors not_found
  proto::Result<Entry*> known(std::string_view id);
  proto::Result<std::uint32_t> free_slot();
  proto::Status make_network(const StartRequest& request, Entry& entry);
  proto::Status open_serials(const StartRequest& request, Entry& entry);
  struct Passed {
    const std::vector<Fd>& files;
    std::uint64_t file_size_max = 0;
  };
  proto::Status run_jail(const StartRequest& request, const Passed& passed, Entry& entry);
  /// Whether set_ports() and kFlagPortsDown concern that tap.
  bool is_led(const Entry& entry, std::size_t tap) const;
  /// The bridges of the host on which it has ports for whole frames.
  std::vector<std::string> frame_bridges(const Entry& entry) const;
  proto::Status raise_ports(Entry& entry);
  proto::Status lower_ports(Entry& entry);
  void drop_network(Entry& entry);
  void take_down(Entry& entry);
  void ended(Entry& entry, int status, const rusage& use);
  void take_report(Entry& entry);
  void record() const;

  Parts parts_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::uint32_t next_slot_ = 0;
};

}  // namespace launcher

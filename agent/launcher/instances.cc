// Life of an instance: its network (instances_network.cc), then the jail; its end, and the list.
#include "agent/launcher/instances.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/launcher/jail.h"
#include "agent/launcher/policy.h"
#include "agent/launcher/system.h"

namespace launcher {
namespace {

constexpr std::uint64_t kLingerMs = 200;  // an agent has answered to an end by then

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

/// Only plain files: a folder or a socket would be a way out of the jail. A volume is open for
/// reading and writing; all others everybody may read, and nobody writes through this descriptor.
/// Gives the size of the largest volume.
Result<std::uint64_t> check_files(const std::vector<Fd>& files, std::uint32_t writable) {
  std::uint64_t largest = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name = "launcher: file " + std::to_string(i);
    struct stat info {};
    const int mode = ::fcntl(files[i].get(), F_GETFL);
    if (mode < 0 || ::fstat(files[i].get(), &info) != 0) {
      return Error{Code::bad_argument, name + ": " + std::strerror(errno), ""};
    }
    if (!S_ISREG(info.st_mode)) return Error{Code::bad_argument, name + " is no plain file", ""};
    if ((writable >> i & 1U) != 0) {
      if ((mode & O_ACCMODE) != O_RDWR || (mode & O_APPEND) != 0) {
        return Error{Code::bad_argument, name + " is not open for reading and writing", ""};
      }
      largest = std::max(largest, static_cast<std::uint64_t>(info.st_size));
      continue;
    }
    if ((mode & O_ACCMODE) != O_RDONLY) {
      return Error{Code::bad_argument, name + " is not open for reading only", ""};
    }
    if ((info.st_mode & S_IROTH) == 0) {
      return Error{Code::bad_argument, name + " is not readable in the jail; its mode must be 0444",
                   ""};
    }
  }
  return largest;
}

std::vector<std::string> split_arguments(const StartRequest& request) {
  std::vector<std::string> arguments;
  const char* at = request.arguments;
  for (std::size_t i = 0; i < request.argument_count; ++i) {
    arguments.emplace_back(at);
    at += arguments.back().size() + 1;
  }
  return arguments;
}

bool share_address(const Entry& entry, const StartRequest& request) {
  const auto* end = request.interfaces + request.interface_count;
  return std::any_of(request.interfaces, end, [&entry](const WireInterface& wanted) {
    const Ipv6 wanted6 = address6_of(wanted);
    return std::any_of(entry.interfaces.begin(), entry.interfaces.end(), [&](const auto& held) {
      return (wanted.address != 0 && held.address == wanted.address) ||
             (!wanted6.is_none() && address6_of(held) == wanted6);
    });
  });
}

struct Ends {
  Fd read;
  Fd write;
};

/// A pipe whose reader never waits.
Result<Ends> make_pipe(const char* name) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Error{Code::start_failed, std::string(name) + " pipe: " + std::strerror(errno), ""};
  }
  Ends made{Fd(ends[0]), Fd(ends[1])};
  ::fcntl(made.read.get(), F_SETFL, O_NONBLOCK);
  return made;
}

const std::string& path_of(const Conf& conf, ProgramId program) {
  switch (program) {
    case ProgramId::spt: return conf.spt;
    case ProgramId::hvt: return conf.hvt;
    case ProgramId::qemu: break;
  }
  return conf.qemu;
}

Status check_program(const std::string& path, ProgramId program) {
  if (::access(path.c_str(), X_OK) == 0) return {};
  const std::string fix = program == ProgramId::qemu
                              ? std::string("apt install ") + kQemuPackage
                              : "it comes with fleet-launcher; install that again";
  return Error{Code::monitor_missing, "launcher: " + path + " is missing; " + fix, ""};
}

std::uint64_t milliseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1000 +
         static_cast<std::uint64_t>(time.tv_usec) / 1000;
}

}  // namespace

Entry* Instances::find(std::string_view id) {
  for (const auto& entry : entries_) {
    if (entry->id == id) return entry.get();
  }
  return nullptr;
}

Result<Entry*> Instances::known(std::string_view id) {
  if (Entry* entry = find(id); entry != nullptr) return entry;
  return Error{Code::not_found, "launcher: no instance " + std::string(id), ""};
}

Result<std::uint32_t> Instances::free_slot() {
  // Round and round, so that a user id rests before another guest gets it.
  for (std::uint32_t tries = 0; tries < proto::kMaxInstances; ++tries) {
    const std::uint32_t slot = next_slot_++ % static_cast<std::uint32_t>(proto::kMaxInstances);
    const bool used = std::any_of(entries_.begin(), entries_.end(),
                                  [slot](const auto& entry) { return entry->slot == slot; });
    if (!used) return slot;
  }
  return Error{Code::no_space,
               "launcher: " + std::to_string(proto::kMaxInstances) +
                   " instances are there; remove exited ones",
               ""};
}

Status Instances::run_jail(const StartRequest& request, const Passed& passed, Entry& entry) {
  TRY(Ends console, make_pipe("console"));
  entry.console = std::move(console.read);
  const auto program = static_cast<ProgramId>(request.program);
  JailSpec spec;
  spec.program = path_of(parts_.conf, program);
  Ends report;
  if (program != ProgramId::qemu) {
    spec.bare = true;
    spec.traces = program == ProgramId::spt;
    TRY(report, make_pipe("report"));
    entry.report_pipe = std::move(report.read);
    spec.exit_report = report.write.get();
  }
  spec.arguments = split_arguments(request);
  spec.uid = parts_.conf.uid_first + entry.slot;
  spec.memory_max_mib = request.memory_max_mib;
  spec.kvm = (request.flags & kFlagKvm) != 0;
  for (const Fd& file : passed.files) spec.files.push_back(file.get());
  spec.file_size_max = passed.file_size_max;
  for (const Fd& tap : entry.taps) spec.taps.push_back(tap.get());
  std::vector<Fd> guest_ends;  // the monitor has them then
  for (const auto& serial : entry.serials) {
    guest_ends.push_back(serial->take_guest_end());
    spec.taps.push_back(guest_ends.back().get());
  }
  spec.console = console.write.get();
  spec.root = parts_.leftovers.jail_root();
  if (parts_.cgroups.available()) {
    const Cgroups::Limits limits{request.memory_max_mib, request.cpu_percent};
    TRY(spec.cgroup, parts_.cgroups.make(entry.slot, limits));
    spec.limit_memory = false;
  }
  TRY(entry.pid, start_in_jail(spec));
  const auto use = process_use(entry.pid);
  entry.start_ticks = use ? use->start_ticks : 0;
  return {};
}

Status Instances::open_serials(const StartRequest& request, Entry& entry) {
  for (std::size_t i = 0; i < request.serial_count; ++i) {
    SerialPort port{std::string(field_text(request.serials[i].path))};
    for (const SerialPort& lent : parts_.conf.serial_lines) {
      if (lent.path == port.path) port = lent;
    }
    TRY(auto line, SerialLine::open(port));
    entry.serials.push_back(std::move(line));
  }
  return {};
}

Status Instances::start(const StartRequest& request, const std::vector<Fd>& files) {
  const std::string id(request.id, proto::kIdLength);
  if (find(id) != nullptr) {
    return Error{Code::already_exists, "launcher: instance " + id + " is there already", ""};
  }
  Held held;
  for (const auto& entry : entries_) {
    if (entry->pid == 0) {
      // What it wants may be what an ended one still has.
      if (entry->take_down_at_ms != 0 && share_address(*entry, request)) take_down(*entry);
      continue;
    }
    for (const WireInterface& wire : entry->interfaces) hold_interface(wire, held);
    for (const auto& serial : entry->serials) held.serial_lines.push_back(serial->path());
  }
  TRY_VOID(may_start(parts_.conf, request, held));
  TRY(const std::uint64_t file_size_max, check_files(files, request.writable_files));
  const auto program = static_cast<ProgramId>(request.program);
  TRY_VOID(check_program(path_of(parts_.conf, program), program));
  auto entry = std::make_unique<Entry>();
  TRY(entry->slot, free_slot());
  entry->id = id;
  entry->tag = std::string(field_text(request.tag));
  entry->started_ms = now_ms();
  Status started = make_network(request, *entry);
  if (started) started = open_serials(request, *entry);
  if (started) started = run_jail(request, {files, file_size_max}, *entry);
  if (!started) {
    drop_network(*entry);
    parts_.cgroups.remove(entry->slot);
    return started;
  }
  log_line("info", "instance.started",
           "instance=" + id + " slot=" + std::to_string(entry->slot) +
               " pid=" + std::to_string(entry->pid));
  entries_.push_back(std::move(entry));
  record();
  return {};
}

Status Instances::stop(std::string_view id, std::uint32_t grace_ms) {
  TRY(Entry* entry, known(id));
  if (entry->pid == 0) return {};
  if (grace_ms == 0) return kill(id);
  entry->stop_asked = true;
  ::kill(entry->pid, SIGTERM);
  const std::uint64_t deadline = now_ms() + grace_ms;
  // A second stop may hurry the end, never put it off.
  entry->kill_at_ms = entry->kill_at_ms == 0 ? deadline : std::min(entry->kill_at_ms, deadline);
  return {};
}

Status Instances::kill(std::string_view id) {
  TRY(Entry* entry, known(id));
  if (entry->pid == 0) return {};
  entry->stop_asked = true;
  entry->killed = true;
  entry->kill_at_ms = 0;
  ::kill(entry->pid, SIGKILL);
  return {};
}

Status Instances::remove(std::string_view id) {
  TRY(Entry* entry, known(id));
  if (entry->pid != 0) {
    return Error{Code::conflict, "launcher: instance " + std::string(id) + " still runs", ""};
  }
  if (entry->take_down_at_ms != 0) take_down(*entry);
  std::erase_if(entries_, [entry](const auto& other) { return other.get() == entry; });
  return {};
}

Status Instances::read_console(std::string_view id, std::uint64_t offset,
                               ReadConsoleReply& reply) {
  TRY(Entry* entry, known(id));
  const ConsoleRing::Read read = entry->ring.read(offset, reply.bytes, kConsoleChunkBytes);
  reply.next_offset = read.next_offset;
  reply.lost_bytes = read.lost_bytes;
  reply.count = static_cast<std::uint32_t>(read.size);
  if (read.next_offset == entry->ring.total()) entry->data_told = false;
  return {};
}

Status Instances::read_report(std::string_view id, ReadReportReply& reply) {
  TRY(const Entry* entry, known(id));
  reply.count = static_cast<std::uint32_t>(entry->report.size());
  std::copy(entry->report.begin(), entry->report.end(), reply.bytes);
  return {};
}

void Instances::fill(std::uint32_t first_slot, ListReply& reply) const {
  std::array<const Entry*, proto::kMaxInstances> by_slot{};
  for (const auto& entry : entries_) by_slot[entry->slot] = entry.get();
  for (std::uint32_t slot = first_slot; slot < proto::kMaxInstances; ++slot) {
    const Entry* entry = by_slot[slot];
    if (entry == nullptr) continue;
    if (reply.count == kRecordsPerPage) {
      reply.next_slot = slot;
      return;
    }
    InstanceRecord& record = reply.records[reply.count++];
    set_field(record.id, entry->id);
    set_field(record.tag, entry->tag);
    record.pid = entry->pid;
    record.wait_status = entry->wait_status;
    record.flags = (entry->pid != 0 ? kInstanceRunning : 0u) |
                   (entry->stop_asked ? kInstanceStopAsked : 0u) |
                   (entry->killed ? kInstanceKilled : 0u) | (entry->limit ? kInstanceLimit : 0u) |
                   (entry->ports_up ? kInstancePortsUp : 0u);
    record.started_ms = entry->started_ms;
    record.exited_ms = entry->exited_ms;
    record.cpu_ms = entry->cpu_ms;
    if (entry->pid != 0) {
      const auto counted = parts_.cgroups.use(entry->slot);
      const auto use = counted ? counted : process_use(entry->pid);
      record.cpu_ms = use ? use->cpu_ms : 0;
      record.rss_bytes = use ? use->rss_bytes : 0;
    }
    record.console_bytes = entry->ring.total();
    record.interface_count = static_cast<std::uint32_t>(entry->interfaces.size());
    for (std::size_t i = 0; i < entry->interfaces.size(); ++i) {
      record.interfaces[i] = entry->interfaces[i];
      set_field(record.taps[i], entry->tap_names[i]);
    }
  }
}

void Instances::ended(Entry& entry, int status, const rusage& use) {
  entry.pid = 0;
  entry.wait_status = status;
  entry.exited_ms = now_ms();
  const auto counted = parts_.cgroups.use(entry.slot);
  entry.cpu_ms = counted ? counted->cpu_ms
                         : milliseconds(use.ru_utime) + milliseconds(use.ru_stime);
  entry.kill_at_ms = 0;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  // A SIGKILL that we did not send is the kernel's, out of memory.
  entry.limit = parts_.cgroups.out_of_memory(entry.slot) ||
                (signal == SIGKILL && !entry.killed) || signal == SIGXCPU || signal == SIGXFSZ;
  drain(entry);
  entry.console.reset();
  entry.serials.clear();
  take_report(entry);
  // What may join its bridges now must find nothing else there, whatever of it were to live on.
  if (!frame_bridges(entry).empty()) {
    if (const Status done = lower_ports(entry); !done) {
      log_line("error", "ports.kept",
               "instance=" + entry.id + " why=\"" + done.error().what + "\"");
    }
  }
  entry.ports_up = false;
  entry.take_down_at_ms = entry.exited_ms + kLingerMs;
  log_line("info", "instance.ended",
           "instance=" + entry.id + " status=" + std::to_string(status) +
               (entry.stop_asked ? " asked=yes" : "") + (entry.limit ? " limit=yes" : ""));
}

void Instances::take_report(Entry& entry) {
  if (!entry.report_pipe) return;
  entry.report.resize(kMaxExitReportBytes);
  const ssize_t got = ::read(entry.report_pipe.get(), entry.report.data(), entry.report.size());
  entry.report.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  entry.report_pipe.reset();
}

std::vector<std::string> Instances::reap() {
  std::vector<std::string> ids;
  for (const auto& entry : entries_) {
    if (entry->pid == 0) continue;
    int status = 0;
    rusage use{};
    if (::wait4(entry->pid, &status, WNOHANG, &use) != entry->pid) continue;
    ended(*entry, status, use);
    ids.push_back(entry->id);
  }
  if (!ids.empty()) record();
  return ids;
}

bool Instances::drain(Entry& entry) {
  std::array<char, 64 * 1024> buffer;
  const std::uint64_t before = entry.ring.total();
  // One pipe's worth per turn: a guest that floods its console gets no more than its share.
  const ssize_t got = ::read(entry.console.get(), buffer.data(), buffer.size());
  if (got > 0) entry.ring.append(buffer.data(), static_cast<std::size_t>(got));
  if (got == 0) entry.console.reset();
  if (entry.ring.total() == before || entry.data_told) return false;
  entry.data_told = true;
  return true;
}

int Instances::run_deadlines() {
  std::uint64_t next = 0;
  const std::uint64_t now = now_ms();
  for (const auto& entry : entries_) {
    if (entry->pid == 0 || entry->kill_at_ms == 0) continue;
    if (entry->kill_at_ms <= now) {
      entry->killed = true;
      entry->kill_at_ms = 0;
      ::kill(entry->pid, SIGKILL);
    } else {
      next = next == 0 ? entry->kill_at_ms : std::min(next, entry->kill_at_ms);
    }
  }
  return next == 0 ? -1 : static_cast<int>(next - now);
}

void Instances::stop_all() {
  for (const auto& entry : entries_) {
    if (entry->pid == 0) continue;
    entry->stop_asked = true;
    entry->killed = true;
    ::kill(entry->pid, SIGKILL);
  }
  for (const auto& entry : entries_) {
    int status = 0;
    rusage use{};
    if (entry->pid != 0 && ::wait4(entry->pid, &status, 0, &use) == entry->pid) {
      ended(*entry, status, use);
    }
    if (entry->take_down_at_ms != 0) take_down(*entry);
  }
  entries_.clear();
}

void Instances::record() const {
  std::vector<Leftovers::Process> running;
  for (const auto& entry : entries_) {
    if (entry->pid != 0) running.push_back({entry->pid, entry->start_ticks});
  }
  if (const Status done = parts_.leftovers.record_processes(running); !done) {
    log_line("error", "processes.unrecorded", "why=\"" + done.error().what + "\"");
  }
}

}  // namespace launcher

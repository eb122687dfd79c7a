// The half of App that concerns guests: starting from hashed bytes, ends, consoles, probes.
#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>

#include "agent/app.h"
#include "agent/guest_config.h"
#include "ota/hash.h"
#include "proto/log.h"
#include "proto/manifest.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::int64_t kStopMarginMs = 5000;
constexpr std::size_t kSeedBytes = 32;
constexpr std::string_view kSpareWord = " spare";  // last in a tag

// What is read and hashed for one start.
struct StartBytes {
  ota::Fd kernel;
  ota::Fd initrd;
  std::map<std::string, std::string> files;
  OpenVolumes volumes;
};

// All that a monitor gets as descriptors, and the files. Blocks.
Result<StartBytes> open_bytes(Device& device, const fleet::v1::AppManifest& manifest,
                              const fleet::v1::Image& image, const monitors::Monitor& monitor) {
  StartBytes out;
  ota::Blobs& blobs = device.blobs;
  TRY(const ota::BlobRef kernel, to_ref(image.kernel()));
  TRY(out.kernel, blobs.open_verified(kernel));
  if (!image.initrd().sha256().empty()) {
    TRY(const ota::BlobRef initrd, to_ref(image.initrd()));
    TRY(out.initrd, blobs.open_verified(initrd));
  }
  for (const fleet::v1::File& file : manifest.files()) {
    TRY(const ota::BlobRef ref, to_ref(file.content()));
    TRY(const auto bytes, blobs.read_verified(ref, proto::kMaxFileBytes));
    std::string& text = out.files[file.path()];
    text.reserve(bytes.size());
    for (const std::byte byte : bytes) text += static_cast<char>(byte);
  }
  TRY(out.volumes, device.volumes.open(manifest, monitor.syncs_by_descriptor()));
  return out;
}

// What the manifest and the open bytes say of a start.
void fill(monitors::Launch& launch, const fleet::v1::AppManifest& of, StartBytes& bytes) {
  launch.image.has_initrd = static_cast<bool>(bytes.initrd);
  launch.kernel = Fd(bytes.kernel.release());
  launch.initrd = Fd(bytes.initrd.release());
  launch.volumes = std::move(bytes.volumes.volumes);
  launch.memory_bytes = of.memory_bytes();
  launch.cpus = std::max<std::uint32_t>(of.cpus(), 1);
  launch.cpu_percent = of.cpu_limit_percent();
}

bool wants_address(const fleet::v1::AppManifest& manifest) {
  return std::any_of(manifest.network().begin(), manifest.network().end(), [](const auto& one) {
    return one.address() == "auto" || one.address().empty();
  });
}

// The address of the interface that health names, else of the first that has one.
Ipv4 probed_address(const Guest& guest, const fleet::v1::AppManifest& of) {
  const auto& network = of.network();
  for (int i = 0; i < network.size(); ++i) {
    const std::string& wanted = of.health().interface();
    const bool is_it = wanted.empty() || wanted == network[i].name();
    if (!is_it || !proto::has_known_address(network[i])) continue;
    const auto place = static_cast<std::size_t>(i);
    const auto& known = guest.last.interfaces;
    return place < known.size() ? known[place].address : guest.address;
  }
  return guest.address;
}

}  // namespace

std::string write_tag(const GuestTag& tag) {
  return tag.app + " " + ota::name_of(tag.slot) + " " + std::to_string(tag.release) + " " +
         (tag.attempt.empty() ? "-" : tag.attempt) + " " + tag.monitor +
         (tag.spare ? std::string(kSpareWord) : "");
}

std::optional<GuestTag> read_tag(std::string_view text) {
  GuestTag tag;
  tag.spare = text.ends_with(kSpareWord);
  if (tag.spare) text.remove_suffix(kSpareWord.size());
  std::array<std::string, 5> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t blank = text.find(' ');
    if ((blank == std::string_view::npos) != (i + 1 == parts.size())) return std::nullopt;
    parts.at(i) = std::string(text.substr(0, blank));
    text = blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
  }
  tag.app = parts[0];
  if (parts[1] != "A" && parts[1] != "B") return std::nullopt;
  tag.slot = parts[1] == "A" ? ota::SlotName::a : ota::SlotName::b;
  const std::string& number = parts[2];
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), tag.release);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  if (parts[3] != "-") tag.attempt = parts[3];
  tag.monitor = parts[4];
  return tag;
}

proto::awaitable<Result<Guest>> App::start(ota::SlotName slot, ota::ReleaseRecord record,
                                           fleet::v1::AppManifest of, StartAs as) {
  CO_TRY(const ImageChoice choice,
         pick_image(of, device.ports.machine.arch(), device.monitors, &record.blobs));
  const MonitorChoice& with = device.monitors[choice.monitor_index];
  const fleet::v1::Image& image = of.images(choice.image_index);
  auto work = [this, &of, &image, &with] { return open_bytes(device, of, image, *with.monitor); };
  CO_TRY(StartBytes bytes, co_await proto::run_blocking(device.ports.disk_pool, std::move(work)));
  if (device.stopping) co_return Error{Code::cancelled, "the agent stops", name};
  log_made(bytes.volumes.made);

  Guest guest;
  guest.periodic = periodic_files(of);
  guest.id = ota::random_id();
  guest.slot = slot;
  guest.release = record.release;
  guest.attempt = record.attempt;
  guest.monitor = with.label;
  guest.as_spare = as == StartAs::spare;
  guest.forwards = of.on_down() != fleet::v1::ON_DOWN_UNSPECIFIED;
  monitors::Launch launch;
  CO_TRY(launch.image, device.ports.machine.inspect_image(image, bytes.kernel));
  StartFacts facts;
  facts.instance_id = guest.id;
  facts.device_id = device.ports.credentials.device_id();
  facts.gateway = device.network->gateway();
  facts.prefix = device.network->prefix();
  facts.mtu = device.network->mtu();
  facts.files = std::move(bytes.files);
  std::array<std::uint8_t, kSeedBytes> seed{};
  ota::random_bytes(seed);
  facts.seed.assign(seed.begin(), seed.end());
  CO_TRY(const Values overrides, read_overrides(record.overrides));
  if (wants_address(of)) {
    CO_TRY(guest.address, device.network->allocate(guest.id));
    facts.address = guest.address;
  }
  const GuestTag tag{name, slot, record.release, record.attempt, with.label,
                     guest.as_spare};
  launch.instance_id = guest.id;
  launch.app = name;
  launch.release = record.release;
  launch.tag = write_tag(tag);
  launch.ports_down = as != StartAs::serving;
  fill(launch, of, bytes);
  Status started;
  auto values = variable_values(of, overrides, device.secrets ? &*device.secrets : nullptr);
  auto config = values ? guest_config(of, *values, facts) : values.error();
  auto egress = egress_rules(of);
  if (!config) {
    started = config.error();
  } else if (!egress) {
    started = egress.error();
  } else {
    launch.config = std::move(*config);
    launch.egress = std::move(*egress);
    auto request = with.monitor->command(std::move(launch));
    if (request) guest.last.interfaces = request->interfaces;
    started = request ? device.ports.launcher.start(std::move(*request)) : request.error();
  }
  if (!started) {
    device.network->release(guest.id);
    co_return started.error().with("starting " + name + " " + std::to_string(record.release));
  }
  guest.started_ms = device.ports.machine.boottime_ms();
  guest.last.id = guest.id;
  guest.last.state = InstanceState::running;
  guest.last.ports_up = as == StartAs::serving;
  proto::log_info(guest.as_spare ? "spare.started" : "guest.started", {{"app", name},
                                    {"release", record.release},
                                    {"slot", ota::name_of(slot)},
                                    {"instance", guest.id},
                                    {"monitor", guest.monitor},
                                    {"address", launcher::to_string(guest.address)}});
  co_return guest;
}

void App::log_made(const std::vector<std::string>& volumes) const {
  for (const std::string& volume : volumes) {
    proto::log_info("volume.made", {{"app", name}, {"volume", volume}});
  }
}

void App::add_periodic(std::set<std::string>& files) const {
  const auto add = [&files](const Guest& guest) {
    if (!guest.ended()) files.insert(guest.periodic.begin(), guest.periodic.end());
  };
  if (live) add(*live);
  if (trial) add(*trial);
  for (const Leaving& one : leaving) add(one.guest);
}

void App::note(Guest& guest, const std::vector<Instance>& listed) {
  if (guest.ended()) return;
  const auto found = std::find_if(listed.begin(), listed.end(),
                                  [&](const Instance& one) { return one.id == guest.id; });
  if (found == listed.end()) {
    guest.lost = true;
    return;
  }
  guest.last = *found;
}

Status App::refresh() {
  TRY(const auto listed, device.ports.launcher.list());
  if (live) note(*live, listed);
  if (trial) note(*trial, listed);
  if (spare.guest) note(*spare.guest, listed);
  for (Leaving& one : leaving) note(one.guest, listed);
  return {};
}

bool App::holds(std::string_view id) const {
  for (const std::optional<Guest>* one : {&live, &trial, &spare.guest}) {
    if (*one && (*one)->id == id) return true;
  }
  return std::any_of(leaving.begin(), leaving.end(),
                     [id](const Leaving& one) { return one.guest.id == id; });
}

void App::forget(const Guest& guest) {
  if (!guest.lost) {
    const Status removed = device.ports.launcher.remove(guest.id);
    if (!removed && removed.error().code != Code::not_found) {
      proto::log_warning("guest.not_removed",
                         {{"instance", guest.id}, {"why", removed.error().what}});
    }
  }
  device.network->release(guest.id);
}

void App::leave(Guest guest, std::uint64_t drain_ms) {
  if (guest.forwards && guest.last.ports_up && !guest.ended()) {
    // Its stop may take a while, and what comes after it forwards too.
    const Status down = device.ports.launcher.set_ports(guest.id, false);
    if (!down) {
      proto::log_error("ports.not_lowered", {{"instance", guest.id}, {"why", down.error().what}});
    }
  }
  Leaving one;
  one.guest = std::move(guest);
  one.stop_at_ms = device.ports.clock.now_ms() + static_cast<std::int64_t>(drain_ms);
  one.stop_grace_ms = stop_grace_ms();
  leaving.push_back(std::move(one));
}

void App::tend_leaving() {
  const std::int64_t now = device.ports.clock.now_ms();
  for (Leaving& one : leaving) {
    if (one.guest.ended() || one.stop_sent || now < one.stop_at_ms) continue;
    const Status stopped = device.ports.launcher.stop(one.guest.id, one.stop_grace_ms);
    one.stop_sent = stopped.has_value();
    if (!stopped && stopped.error().code == Code::not_found) one.guest.lost = true;
  }
  std::erase_if(leaving, [this](const Leaving& one) {
    if (!one.guest.ended()) return false;
    forget(one.guest);
    proto::log_info("guest.left", {{"app", name},
                                   {"release", one.guest.release},
                                   {"instance", one.guest.id}});
    return true;
  });
}

proto::awaitable<void> App::stop_live() {
  if (!live) co_return;
  Guest old = std::move(*live);
  live.reset();
  live_probe.forget();
  publish_live();
  co_await stop_now(std::move(old));
}

proto::awaitable<void> App::stop_now(Guest guest) {
  const std::string id = guest.id;
  leave(std::move(guest), 0);
  co_await wait_left(id);
}

proto::awaitable<bool> App::stop_leaving() {
  for (Leaving& one : leaving) one.stop_at_ms = device.ports.clock.now_ms();
  co_await wait_left("");
  co_return leaving.empty();
}

proto::awaitable<void> App::wait_left(std::string id) {
  const proto::Deadline deadline =
      proto::Deadline::after(device.ports.clock, stop_grace_ms() + kStopMarginMs);
  while (!device.stopping && !deadline.passed(device.ports.clock)) {
    const Status listed = refresh();
    if (listed) tend_leaving();
    const bool gone = std::none_of(leaving.begin(), leaving.end(), [&](const Leaving& one) {
      return id.empty() || one.guest.id == id;
    });
    if (gone) co_return;
    const proto::Deadline soon = proto::Deadline::after(device.ports.clock, 50);
    co_await changed.wait(soon.sooner(deadline));
  }
}

void App::scan_console(Guest& guest, const std::string& wanted) {
  // Bounded: the ring holds no more than this.
  for (std::size_t read = 0; read <= proto::kConsoleRingBytes && !guest.line_seen;) {
    auto chunk = device.ports.launcher.read_console(guest.id, guest.console_offset);
    if (!chunk || chunk->bytes.empty()) return;
    guest.console_offset = chunk->next_offset;
    read += chunk->bytes.size();
    for (const char c : chunk->bytes) {
      if (c == '\n') {
        guest.console_line.clear();
        continue;
      }
      if (guest.console_line.size() < proto::kConsoleLineBytes) guest.console_line += c;
      // A prompt without a line end counts too.
      if (guest.console_line.ends_with(wanted)) guest.line_seen = true;
    }
  }
}

void App::begin_probe(ProbeRunner& runner, Guest& guest, const fleet::v1::AppManifest& of) {
  const fleet::v1::Health& health = of.health();
  ProbeResult result;
  result.at_ms = up_ms(guest);
  if (health.type() == fleet::v1::HEALTH_CONSOLE) {
    scan_console(guest, health.line());
    result.passed = guest.line_seen;
    result.text = result.passed ? "console line seen"
                                : "the console has not said \"" + health.line() + "\"";
    runner.put(std::move(result));
    return;
  }
  if (health.type() == fleet::v1::HEALTH_PROCESS) {
    result.passed = !guest.ended();
    result.text = result.passed ? "the process runs" : "the process ended";
    runner.put(std::move(result));
    return;
  }
  const auto timeout_ms =
      static_cast<std::int64_t>(std::max<std::uint64_t>(health.timeout_ms(), 1));
  runner.begin(health, probed_address(guest, of),
               proto::Deadline::after(device.ports.clock, timeout_ms), result.at_ms);
}

std::string App::console(const Guest& guest, std::size_t max_bytes) {
  std::string out;
  if (guest.lost) return out;
  const std::uint64_t end = guest.last.console_bytes;
  std::uint64_t offset = end > max_bytes ? end - max_bytes : 0;
  for (int reads = 0; reads < 16 && out.size() <= max_bytes; ++reads) {
    auto chunk = device.ports.launcher.read_console(guest.id, offset);
    if (!chunk || chunk->bytes.empty()) break;
    out += chunk->bytes;
    offset = chunk->next_offset;
  }
  if (out.size() > max_bytes) out.erase(0, out.size() - max_bytes);
  return out;
}

void App::send_console(const Guest& guest) {
  if (!device.send_log) return;
  const std::string bytes = console(guest, proto::kConsoleKeptBytes);
  if (bytes.empty()) return;
  fleet::v1::LogChunk chunk;
  chunk.set_app(name);
  chunk.set_release(guest.release);
  chunk.set_instance(guest.id);
  const std::uint64_t end = std::max<std::uint64_t>(guest.last.console_bytes, bytes.size());
  chunk.set_offset(end - bytes.size());
  chunk.set_data(bytes);
  chunk.set_time_ms(static_cast<std::uint64_t>(device.ports.clock.wall_ms()));
  device.send_log(std::move(chunk));
}

}  // namespace agent

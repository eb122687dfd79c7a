// fleet-launcher: the only program of the product with rights. It opens AF_UNIX and AF_NETLINK
// sockets and no others, and does a closed list of operations for one user, the agent's.
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "agent/launcher/bypasses.h"
#include "agent/launcher/cgroup.h"
#include "agent/launcher/conf.h"
#include "agent/launcher/host.h"
#include "agent/launcher/instances.h"
#include "agent/launcher/leftovers.h"
#include "agent/launcher/links.h"
#include "agent/launcher/nft.h"
#include "agent/launcher/server.h"
#include "agent/launcher/system.h"

namespace {

using launcher::log_line;
using proto::Code;
using proto::Error;
using proto::Status;

constexpr char kUsage[] =
    "Starts monitors in jails for fleet-agent: taps, published ports, consoles. Needs root.\n"
    "Usage: fleet-launcher [--conf FILE] [--socket PATH] [--help] [--version]\n"
    "  --conf FILE    default /etc/fleet/launcher.conf; every key is in the commented example\n"
    "  --socket PATH  where the agent connects, instead of the conf's\n"
    "\n"
    "Example:\n"
    "  fleet-launcher --conf /etc/fleet/launcher.conf\n";

struct Options {
  std::string conf = "/etc/fleet/launcher.conf";
  std::string socket;
  bool version = false;
  bool help = false;
};

proto::Result<Options> parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--version") {
      options.version = true;
    } else if (word == "--help" || word == "-h") {
      options.help = true;
    } else if ((word == "--conf" || word == "--socket") && i + 1 < argc) {
      (word == "--conf" ? options.conf : options.socket) = argv[++i];
    } else {
      return Error{Code::bad_argument, "unknown or incomplete argument " + word, ""};
    }
  }
  return options;
}

proto::Result<launcher::Fd> block_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT}) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  launcher::Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return Error{Code::io, std::string("signalfd: ") + std::strerror(errno), ""};
  return fd;
}

/// A full table takes more descriptors than the usual soft limit: taps, console and report of each.
void raise_descriptor_limit() {
  constexpr rlim_t kWanted = proto::kMaxInstances * (proto::kMaxInterfaces + 2) + 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kWanted) return;
  limit.rlim_cur = std::min(kWanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// The socket's folder: the agent passes through it, only root writes in it.
proto::Result<std::string> make_run_folder(const std::string& socket) {
  const std::string folder = socket.substr(0, socket.rfind('/'));
  ::umask(0022);
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return Error{Code::io, folder + ": " + std::strerror(errno), ""};
  }
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0 || info.st_uid != 0 ||
      (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{Code::forbidden, folder + " must be root's and not writable by others", ""};
  }
  return folder;
}

Status serve(const launcher::Conf& conf) {
  raise_descriptor_limit();
  TRY(const launcher::Fd signals, block_signals());
  TRY(const std::string folder, make_run_folder(conf.socket));
  launcher::Leftovers leftovers;
  TRY_VOID(leftovers.open(folder + "/state"));
  launcher::Links links;
  TRY_VOID(links.open());
  launcher::Nft nft;
  launcher::Cgroups cgroups;
  launcher::Host host(conf, links, nft, leftovers);
  Status result = host.set_up();
  if (!result) {
    host.take_down();
    return result;
  }
  cgroups.open();
  launcher::Bypasses bypasses(conf, links);
  launcher::Instances instances({conf, links, nft, cgroups, leftovers, bypasses});
  launcher::Server server({conf, host, nft, instances, bypasses}, cgroups.available());
  result = server.listen();
  if (result) {
    log_line("info", "launcher.ready",
             "subnet=" + to_string(conf.subnet) + " bridge=" + conf.bridge + " limits=" +
                 (cgroups.available() ? "cgroup" : "rlimit why=\"" + cgroups.reason() + "\""));
    launcher::notify_manager("READY=1");
    result = server.run(signals);
    launcher::notify_manager("STOPPING=1");
    server.close();
  }
  instances.stop_all();
  bypasses.remove_all();
  host.take_down();
  leftovers.remove();
  return result;
}

int run(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) {
    std::fprintf(stderr, "fleet-launcher: %s\n%s", options.error().what.c_str(), kUsage);
    return 2;
  }
  if (options->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (options->version) {
    std::printf("fleet-launcher %s\n", FLEET_VERSION);
    return 0;
  }
  if (::geteuid() != 0) {
    std::fprintf(stderr, "fleet-launcher: must be started by root (a system service)\n");
    return 1;
  }
  auto conf = launcher::load_conf(options->conf);
  if (conf && !options->socket.empty()) conf->socket = options->socket;
  const Status done = conf ? serve(*conf) : Status{conf.error()};
  if (!done) {
    std::fprintf(stderr, "fleet-launcher: %s\n", done.error().what.c_str());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }

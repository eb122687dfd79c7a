// fleet-controller: init makes a data directory, serve runs on it.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "controller/backup.h"
#include "controller/data_dir.h"
#include "controller/serve.h"

namespace {

int fail(const proto::Error& error) {
  std::cerr << "error: " << error.what << "\n";
  return 1;
}

std::int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

int run_init(const std::string& data_dir, std::vector<std::string> names) {
  const proto::Status made = controller::init_data_dir(data_dir, std::move(names), wall_ms());
  if (!made) return fail(made.error());
  std::cout << "The controller's authority, keys and first token are in " << data_dir << ".\n"
            << "  start    fleet-controller serve --data-dir " << data_dir << "\n"
            << "  log in   fleetctl login https://localhost:8443 --token-file " << data_dir
            << "/admin.token --ca " << data_dir << "/ca.pem\n";
  return 0;
}

int run_back_up(const std::string& data_dir, const std::string& file) {
  const proto::Status made = controller::back_up(data_dir, file, wall_ms());
  if (!made) return fail(made.error());
  std::cout << file << " holds the controller of " << data_dir
            << " with all its keys: keep it safe.\n"
            << "  list     sqlite3 " << file << " -A -t\n"
            << "  restore  fleet-controller restore " << file << " DATA_DIR\n";
  return 0;
}

int run_restore(const std::string& file, const std::string& data_dir) {
  const proto::Status restored = controller::restore(file, data_dir);
  if (!restored) return fail(restored.error());
  std::cout << "The controller of " << file << " is in " << data_dir << ".\n"
            << "  start    fleet-controller serve --data-dir " << data_dir << "\n"
            << "  then     fleetctl keys restore                 what operators have seen since\n"
            << "           fleetctl audit verify --accept        its log ends earlier\n"
            << "           fleetctl status                       who went on since is left alone\n"
            << "           fleetctl device accept --to all       until then\n";
  return 0;
}

// mbedTLS has two buffers of 16 KiB for each link, and an idle device's messages fill a page of
// each. As mappings of their own the other pages are never there; in the heap all of them would be.
// The threshold lies between them and a record of ours, which comes and goes. Without a pad there
// is no room for them in the heap's last chunk, which is asked before.
void keep_idle_links_small() {
  mallopt(M_MMAP_THRESHOLD, 16 * 1024 + 128);
  mallopt(M_TOP_PAD, 0);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Keeps releases, rollouts and the devices' links. It cannot sign an app.",
               "fleet-controller"};
  app.set_version_flag("--version", FLEET_VERSION);
  app.require_subcommand(1);
  std::string data_dir;
  std::string backup_file;
  std::vector<std::string> names;
  controller::ServeOptions options;

  CLI::App* init = app.add_subcommand(
      "init", "Make the data directory: certificate authority, online keys, first admin token.\n"
              "Example: fleet-controller init --data-dir /var/lib/fleet-controller"
              " --hostname fleet.example.net");
  init->add_option("--data-dir", data_dir, "where everything is kept")->required();
  init->add_option("--hostname", names, "a name in the server's certificate; may be repeated");

  CLI::App* serve = app.add_subcommand(
      "serve", "Run until SIGTERM.\n"
               "Example: fleet-controller serve --data-dir /var/lib/fleet-controller");
  serve->add_option("--data-dir", options.data_dir, "made by init")->required();
  serve->add_option("--operator-listen", options.operator_listen,
                    "ADDRESS:PORT for fleetctl and the dashboard; an inherited socket goes before")
      ->capture_default_str();
  serve->add_option("--device-listen", options.device_listen, "ADDRESS:PORT for devices")
      ->capture_default_str();
  serve->add_option("--device-address", options.device_address,
                    "HOST:PORT that bootstrap files tell devices to connect to");
  CLI::App* backup = app.add_subcommand(
      "backup", "Copy the data directory into one file, also while the controller runs.\n"
                "Example: fleet-controller backup /var/lib/fleet-controller fleet.backup");
  backup->add_option("DATA_DIR", data_dir, "made by init")->required();
  backup->add_option("FILE", backup_file, "to be made, mode 600: it holds the controller's keys")
      ->required();
  CLI::App* restore = app.add_subcommand(
      "restore", "Make a data directory of a backup. Devices that were told more since are left "
                 "alone until a person decides.\n"
                 "Example: fleet-controller restore fleet.backup /var/lib/fleet-controller");
  restore->add_option("FILE", backup_file, "made by backup")->required();
  restore->add_option("DATA_DIR", data_dir, "empty, or not there")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  if (init->parsed()) return run_init(data_dir, names);
  if (backup->parsed()) return run_back_up(data_dir, backup_file);
  if (restore->parsed()) return run_restore(backup_file, data_dir);
  keep_idle_links_small();
  const proto::Status served = controller::serve(options);
  return served ? 0 : fail(served.error());
}

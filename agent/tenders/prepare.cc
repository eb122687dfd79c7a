#include "agent/tenders/prepare.h"

#include <linux/fcntl.h>

#include "agent/tenders/exit_report.h"
#include "agent/tenders/sys.h"

namespace tenders {
namespace {

namespace abi = images::abi;

constexpr int kStderr = 2;

void show_version(const Program& program) {
  Text text;
  text.add_all(program.name, " ", FLEET_VERSION, "\nABI version ", abi::kNewestSolo5Version,
               " of Solo5's target ", program.target == abi::kTargetHvt ? "hvt" : "spt", ", and ",
               abi::kOldestSolo5Version, "\n");
  sys::write_text(kStderr, text.view());
}

/// Standard descriptors that are closed become /dev/null: an image, disk or tap that is opened next
/// would be the guest's console otherwise, and our own messages would go there.
bool hold_standard_descriptors(Failure& failure) {
  for (int descriptor = 0; descriptor <= kStderr; ++descriptor) {
    if (sys::file_flags(descriptor) >= 0) continue;
    const long opened = sys::open("/dev/null", O_RDWR);  // gets the lowest free number: this one
    if (opened != descriptor) {
      return failure.because(proto::Code::io, "/dev/null for the closed descriptor ", descriptor,
                             ": ", sys::error_text(opened));
    }
  }
  return true;
}

bool open_image(Prepared& prepared, Failure& failure) {
  const Source& source = prepared.options.image;
  prepared.image_file = source.descriptor;
  if (prepared.image_file >= 0) return true;
  const long opened = sys::open(source.path.data(), O_RDONLY);
  if (opened < 0) {
    return failure.because(proto::Code::not_found, Foreign{source.path}, ": ",
                           sys::error_text(opened));
  }
  prepared.image_file = static_cast<int>(opened);
  return true;
}

}  // namespace

bool prepare(const Program& program, const StartInfo& start, Prepared& prepared,
             Failure& failure) {
  Options& options = prepared.options;
  if (!hold_standard_descriptors(failure)) return false;
  const std::size_t skipped = start.arguments.empty() ? 0 : 1;
  if (!parse_options(start.arguments.subspan(skipped), options, failure)) return false;
  if (options.action == Action::show_help) {
    sys::write_text(kStderr, usage(program.name).view());
    sys::exit(1);  // as Solo5's tenders
  }
  if (options.action == Action::show_version) {
    show_version(program);
    sys::exit(0);
  }
  if (!open_image(prepared, failure)) return false;
  if (!read_image(prepared.image_file, options.image_name, program.target, prepared.image,
                  failure)) {
    return false;
  }
  return attach_devices(options, prepared.image.manifest, prepared.devices, failure);
}

void give_up(const Program& program, const Options& options, const Failure& failure) {
  Text line;
  line.add_all(program.name, ": ", failure.what.view(), "\n");
  sys::write_text(kStderr, line.view());
  if (options.report_descriptor >= 0) {
    ExitReport report;
    report.monitor = program.name;
    report.what = failure.what.view();
    sys::write_text(options.report_descriptor, to_json(report).view());
  }
  sys::exit(1);
}

}  // namespace tenders

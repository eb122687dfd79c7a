// The commands about the catalog: what is in it, and a copy of an app's manifest to change.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "deploy/fleetctl/catalog.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "ota/disk.h"
#include "ota/json.h"
#include "proto/document.h"
#include "proto/limits.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;
using proto::Code;

std::string image_key(const CatalogImage& image) {
  return proto::word_of(image.arch) + "/" + proto::word_of(image.platform);
}

std::string size_text(const CatalogEntry& entry) {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  for (const CatalogImage& image : entry.images) {
    least = least == 0 ? image.size_bytes : std::min(least, image.size_bytes);
    most = std::max(most, image.size_bytes);
  }
  if (most == 0) return "-";
  const std::string low = proto::format_size_bytes(least);
  const std::string high = proto::format_size_bytes(most);
  return low == high ? low : low + " to " + high;
}

std::string catalog_json(const Catalog& catalog) {
  ota::Json apps = ota::Json::array();
  for (const CatalogEntry& entry : catalog.entries) {
    ota::Json images = ota::Json::array();
    for (const CatalogImage& image : entry.images) {
      images.push_back(ota::Json::object(
          {{"image", image_key(image)}, {"file", image.path}, {"summary", image.summary},
           {"size_bytes", static_cast<std::int64_t>(image.size_bytes)}}));
    }
    apps.push_back(ota::Json::object({{"name", entry.name}, {"app", entry.app},
                                      {"description", entry.description},
                                      {"manifest", entry.manifest_file}, {"images", images}}));
  }
  return ota::pretty_json(ota::Json::object({{"folder", catalog.folder}, {"apps", apps}}));
}

// A file of the copy: read whole before anything is written.
struct Copy {
  fs::path to;
  std::string bytes;
};

// What the entry's files are called beside its manifest. errors bad_manifest: it lies elsewhere
proto::Result<fs::path> place_beside(const fs::path& folder, const std::string& from) {
  const fs::path relative = fs::path(from).lexically_relative(folder);
  if (!relative.empty() && *relative.begin() != "..") return relative;
  return proto::Error{Code::bad_manifest, from + " does not lie beside the manifest", from};
}

std::size_t indent_of(std::string_view line) { return line.find_first_not_of(' '); }

// The manifest with its images taken from the catalog. in  line: of the key image or images, which
// is replaced with all that stands below it; or, without images, of the application: put behind it.
std::string with_catalog_image(std::string_view text, std::size_t line, bool replace,
                               const std::string& name) {
  std::string out;
  std::size_t number = 0;
  std::size_t below = std::string_view::npos;  // lines deeper than this are dropped
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(end);
    ++number;
    if (below != std::string_view::npos && indent_of(one) > below) continue;
    below = std::string_view::npos;
    if (number == line && replace) below = indent_of(one);
    if (number != line || !replace) out += one;
    if (number == line) out += "  image: catalog:" + name + "\n";
  }
  return out;
}

proto::Result<std::vector<Copy>> copies_of(const CatalogEntry& entry, const fs::path& into) {
  const fs::path folder = fs::path(entry.manifest_file).parent_path();
  TRY(const proto::ManifestFile file, proto::load_manifest(entry.manifest_file));
  TRY(const proto::FileApplication* application, proto::find_application(file, ""));
  TRY(const std::string text, read_small_file(entry.manifest_file, proto::kMaxFilesBytes));
  const bool has_images = !application->images.empty();
  std::string field = application->field_prefix;
  if (has_images) field += application->images.front().key.empty() ? ".image" : ".images";
  const auto line = static_cast<std::size_t>(file.lines.line_of(field));
  std::vector<Copy> copies;
  for (const proto::FileSource& source : application->files) {
    if (source.from.empty()) continue;
    TRY(const fs::path place, place_beside(folder, source.from));
    TRY(std::string bytes, read_small_file(source.from, proto::kMaxFileBytes));
    copies.push_back({into / place, std::move(bytes)});
  }
  copies.push_back(
      {into / "manifest.yml", with_catalog_image(text, line, has_images, entry.name)});
  return copies;
}

// A new file; one that is there already is left alone. errors already_exists | io
proto::Status write_new(const Copy& copy) {
  std::error_code error;
  if (copy.to.has_parent_path()) fs::create_directories(copy.to.parent_path(), error);
  const std::string path = copy.to.string();
  const proto::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file && errno == EEXIST) {
    return proto::Error{Code::already_exists,
                        path + " is there already; nothing was written\n"
                        "copy into another folder:  fleetctl catalog copy NAME FOLDER", path};
  }
  if (!file) return ota::errno_error("cannot write " + path, errno);
  return ota::write_at(file, 0, std::as_bytes(std::span(copy.bytes)));
}

// All of them or none.
proto::Status write_all(const std::vector<Copy>& copies) {
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const proto::Status written = write_new(copies[i]);
    if (written) continue;
    const bool ours = written.error().code != Code::already_exists;
    for (std::size_t j = 0; j < i + (ours ? 1 : 0); ++j) {
      std::error_code ignored;
      fs::remove(copies[j].to, ignored);
    }
    return written;
  }
  return {};
}

}  // namespace

CommandResult list_catalog(Program& program, const CatalogOptions& options) {
  TRY(const Catalog catalog, read_catalog(options.folder));
  for (const std::string& why : catalog.unreadable) program.terminal.note(visible(why));
  if (program.json) {
    program.terminal.line(catalog_json(catalog));
    return ExitCode::ok;
  }
  if (catalog.entries.empty()) {
    program.terminal.line("The catalog in " + visible(catalog.folder) + " is empty.");
    return ExitCode::ok;
  }
  Table table({"NAME", "DESCRIPTION", "SIZE", "IMAGES"});
  for (const CatalogEntry& entry : catalog.entries) {
    table.add({visible(entry.name), visible(entry.description), size_text(entry),
               image_kinds(entry)});
  }
  program.terminal.lines(table.lines());
  const std::string& first = catalog.entries.front().name;
  program.terminal.line("Take one:  fleetctl catalog copy " + visible(first) +
                        "     then change its manifest.yml, and push it");
  return ExitCode::ok;
}

CommandResult copy_from_catalog(Program& program, const CatalogOptions& options) {
  TRY(const Catalog catalog, read_catalog(options.folder));
  TRY(const CatalogEntry entry, find_entry(catalog, options.name));
  TRY(const std::vector<Copy> copies, copies_of(entry, options.into));
  TRY_VOID(write_all(copies));
  if (program.json) {
    ota::Json files = ota::Json::array();
    for (const Copy& copy : copies) files.push_back(copy.to.string());
    program.terminal.line(ota::pretty_json(
        ota::Json::object({{"name", entry.name}, {"app", entry.app}, {"files", files}})));
    return ExitCode::ok;
  }
  for (const Copy& copy : copies) program.terminal.line("wrote " + visible(copy.to.string()));
  program.terminal.line("Push it:  fleetctl push " + visible(entry.app) + " --to SELECTOR");
  return ExitCode::ok;
}

}  // namespace fleetctl

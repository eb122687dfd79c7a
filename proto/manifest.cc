#include "proto/manifest.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>

#include "fleet/v1/manifest_file.pb.h"
#include "proto/limits.h"
#include "proto/manifest_internal.h"
#include "proto/units.h"
#include "proto/variables.h"

namespace proto {

using fleet::v1::AppManifest;
using fleet::v1::ApplicationDocument;

namespace {

using namespace manifest_detail;

constexpr std::string_view kCatalogScheme = "catalog:";

std::string join_path(std::string_view base_dir, const std::string& path) {
  if (path.empty() || path[0] == '/' || base_dir.empty() || base_dir == ".") return path;
  return std::string(base_dir) + "/" + path;
}

// "x86_64/spt" -> architecture and platform.
Status read_image_key(const std::string& key, ImageSource& out) {
  const std::string field = "images." + key;
  const std::size_t slash = key.find('/');
  const auto* arch = value_of_word(*fleet::v1::Arch_descriptor(), key.substr(0, slash));
  if (arch == nullptr) {
    return broken(field, "begins with x86_64 or aarch64, like x86_64/virtio");
  }
  out.arch = static_cast<fleet::v1::Arch>(arch->number());
  if (slash == std::string::npos) return Status();
  const auto* platform = value_of_word(*fleet::v1::Platform_descriptor(), key.substr(slash + 1));
  if (platform == nullptr) return broken(field, "the platform is virtio, hvt, spt or bare");
  out.platform = static_cast<fleet::v1::Platform>(platform->number());
  return Status();
}

Status read_image(const fleet::v1::ImageDocument& in, const std::string& field,
                  std::string_view base_dir, ImageSource& out) {
  const std::string& kernel = in.plain().empty() ? in.kernel() : in.plain();
  if (kernel.empty()) return broken(field, "names no file; write FILE or {kernel: FILE}");
  if (kernel.starts_with("oci://")) {
    return Error{Code::not_supported, "not supported yet: " + field + ": oci://", field};
  }
  if (kernel.starts_with(kCatalogScheme)) {
    out.catalog = kernel.substr(kCatalogScheme.size());
    if (!is_name(out.catalog)) {
      return broken(field, "catalog: is followed by a name, like catalog:dns");
    }
    if (in.plain().empty()) return broken(field, "catalog:NAME stands by itself, not under kernel");
    return Status();
  }
  out.kernel = join_path(base_dir, kernel);
  out.initrd = join_path(base_dir, in.initrd());
  out.disk = join_path(base_dir, in.disk());
  return Status();
}

Status read_images(const ApplicationDocument& in, std::string_view base_dir,
                   FileApplication& out) {
  const int forms = int{in.has_image()} + int{in.images_size() != 0} + int{in.has_path()};
  if (forms > 1) {
    return broken(in.has_path() ? "path" : "image",
                  "give one of image, images and path, not several");
  }
  if (in.has_path()) {
    if (in.path().empty()) return broken("path", "names no folder; write path: .");
    out.path = join_path(base_dir, in.path());
    return Status();
  }
  if (in.has_image()) return read_image(in.image(), "image", base_dir, out.images.emplace_back());
  // A map of protobuf has no order of its own; people expect the same one each time.
  std::set<std::string> keys;
  for (const auto& [key, image] : in.images()) keys.insert(key);
  std::set<std::pair<int, int>> seen;
  for (const std::string& key : keys) {
    ImageSource& source = out.images.emplace_back();
    source.key = key;
    TRY_VOID(read_image_key(key, source));
    if (!seen.insert({source.arch, source.platform}).second) {
      return broken("images." + key, "is there twice");
    }
    TRY_VOID(read_image(in.images().at(key), "images." + key, base_dir, source));
  }
  return Status();
}

Status read_files(const ApplicationDocument& in, std::string_view base_dir, FileApplication& out) {
  std::set<std::string> paths;
  for (const auto& [path, file] : in.files()) paths.insert(path);
  for (const std::string& path : paths) {
    const auto& file = in.files().at(path);
    if (file.has_from() == file.has_content()) {
      return broken("files." + path, "needs one of from and content");
    }
    if (file.has_from() ? file.from().empty() : file.content().empty()) {
      return broken("files." + path, file.has_from() ? "from names no file" : "is empty");
    }
    FileSource& source = out.files.emplace_back();
    source.path = path;
    source.from = join_path(base_dir, file.from());
    source.content = file.content();
    source.is_template = file.template_();
    auto& signed_file = *out.manifest.add_files();
    signed_file.set_path(path);
    signed_file.set_template_(file.template_());
  }
  return Status();
}

Status read_application(const ApplicationDocument& in, std::string_view base_dir,
                        FileApplication& out) {
  if (in.name().empty()) return broken("name", "is missing");
  TRY_VOID(fill_manifest(in, out.manifest));
  TRY_VOID(read_images(in, base_dir, out));
  out.format = in.format();
  TRY_VOID(read_files(in, base_dir, out));
  TRY_VOID(check_manifest(out.manifest, ManifestStage::unresolved));
  return check_supported(out.manifest);
}

// Puts file and line to an error about a field of an application.
Error placed(const SourceLines& lines, const std::string& prefix, const Error& error) {
  const std::string place = lines.place_of(prefix + "." + error.element);
  if (error.code == Code::not_supported) {
    return Error{error.code, error.what + " (" + place + ")", error.element};
  }
  return Error{error.code, place + ": " + error.what, error.element};
}

// The document's errors name fields from the top of the file; people know them from their app.
Error from_document(const Error& error) {
  Error out = error;
  if (out.code == Code::bad_argument) out.code = Code::bad_manifest;
  const std::size_t begin = out.what.find("applications[");
  std::size_t end = out.what.find(']', begin);
  if (begin == std::string::npos || end == std::string::npos) return out;
  if (!out.element.starts_with("applications[")) return out;
  end += out.what.compare(end, 3, "]: ") == 0 ? 3 : 2;
  out.what.erase(begin, end - begin);
  return out;
}

void set_places(ManifestFile& file) {
  for (FileApplication& application : file.applications) {
    for (ImageSource& image : application.images) {
      const std::string field = image.key.empty() ? "image" : "images." + image.key;
      image.place = file.place_of(application, field);
    }
    for (FileSource& source : application.files) {
      source.place = file.place_of(application, "files." + source.path);
    }
  }
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return Error{errno == ENOENT ? Code::not_found : Code::io, path + ": " + std::strerror(errno),
                 path};
  }
  if (!S_ISREG(info.st_mode)) return Error{Code::io, path + ": is no regular file", path};
  if (static_cast<std::uint64_t>(info.st_size) > most) {
    return Error{Code::too_large, path + ": larger than " + format_size_bytes(most), path};
  }
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!stream || static_cast<std::size_t>(stream.gcount()) != bytes.size()) {
    return Error{Code::io, path + ": cannot be read", path};
  }
  return bytes;
}

}  // namespace

std::string ManifestFile::place_of(const FileApplication& application,
                                   std::string_view field) const {
  const std::string path = application.field_prefix + "." + std::string(field);
  return lines.place_of(path) + ": " + std::string(field);
}

Result<ManifestFile> parse_manifest(std::string_view text, std::string_view file,
                                    std::string_view base_dir) {
  fleet::v1::ManifestDocument document;
  ManifestFile out;
  DocumentLimits limits;
  limits.size_bytes = kMaxFilesBytes;  // the content of files may stand in it
  const Status parsed = parse_document(text, file, document, &out.lines, limits);
  if (!parsed) return from_document(parsed.error());
  if (document.version() != 1) {
    const std::string place = out.lines.place_of("version");
    const Error error = broken("version", document.version() == 0
                                              ? "is missing; write version: 1 on top"
                                              : "this program knows version 1");
    return error.with(place);
  }
  if (document.applications_size() == 0) {
    return broken("applications", "there is none").with(std::string(file));
  }
  std::set<std::string> names;
  for (int i = 0; i < document.applications_size(); ++i) {
    FileApplication& application = out.applications.emplace_back();
    application.field_prefix = indexed("applications", i);
    const Status read = read_application(document.applications(i), base_dir, application);
    if (!read) return placed(out.lines, application.field_prefix, read.error());
    if (!names.insert(application.manifest.name()).second) {
      return placed(out.lines, application.field_prefix, broken("name", "is there twice"));
    }
  }
  set_places(out);
  return out;
}

Result<ManifestFile> load_manifest(const std::string& path) {
  TRY(const std::string text, read_file(path, kMaxFilesBytes));
  const std::size_t slash = path.rfind('/');
  const std::string base_dir = slash == std::string::npos ? "" : path.substr(0, slash);
  return parse_manifest(text, path, base_dir);
}

Result<const FileApplication*> find_application(const ManifestFile& file, std::string_view name) {
  std::vector<std::string> names;
  for (const FileApplication& application : file.applications) {
    names.push_back(application.manifest.name());
    if (names.back() == name) return &application;
  }
  if (name.empty() && names.size() == 1) return &file.applications.front();
  std::string list;
  for (const std::string& known : names) list += (list.empty() ? "" : ", ") + known;
  const std::string what =
      name.empty() ? "holds several applications; name one of " + list
                   : "holds no application \"" + std::string(name) + "\"; it has " + list;
  return Error{Code::bad_manifest, file.lines.file() + ": " + what, std::string(name)};
}

Result<std::vector<LoadedFile>> load_files(const FileApplication& application) {
  std::vector<LoadedFile> loaded;
  std::size_t total = 0;
  for (const FileSource& source : application.files) {
    const bool is_file = !source.from.empty();
    LoadedFile file{source.path, source.content, source.is_template,
                    is_file ? source.from : source.place, is_file};
    const auto bad = [&source](const std::string& what) {
      return Error{Code::bad_manifest, source.place + ": " + what, source.path};
    };
    if (is_file) {
      auto bytes = read_file(source.from, kMaxFileBytes);
      if (!bytes) return bad(bytes.error().what);
      file.bytes = std::move(*bytes);
    }
    if (file.bytes.empty()) {
      return bad(source.from.empty() ? "is empty" : source.from + " is empty");
    }
    if (file.bytes.size() > kMaxFileBytes) return bad("is larger than 1 MiB");
    const Status uses =
        file.is_template ? check_template(application.manifest, file.bytes) : Status();
    if (!uses) return bad((source.from.empty() ? "" : source.from + ": ") + uses.error().what);
    total += file.bytes.size();
    if (total > kMaxFilesBytes) return bad("all files together are larger than 4 MiB");
    loaded.push_back(std::move(file));
  }
  return loaded;
}

}  // namespace proto

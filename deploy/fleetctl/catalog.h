// The catalog: apps that are ready to push. One folder for each, with its manifest, the files that
// it names and the images; what an image is, its own bytes say (images/inspect).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/app.pb.h"
#include "proto/manifest.h"

namespace fleetctl {

struct CatalogImage {
  std::string path;
  fleet::v1::Arch arch = fleet::v1::ARCH_UNSPECIFIED;
  fleet::v1::Platform platform = fleet::v1::PLATFORM_UNSPECIFIED;
  std::uint64_t size_bytes = 0;
  std::string summary;  // "Unifleet, Solo5 spt, ABI 2, 1 net"
};

struct CatalogEntry {
  std::string name;          // of its folder
  std::string app;           // of the one application in its manifest
  std::string description;
  std::string manifest_file;
  std::vector<CatalogImage> images;  // sorted by architecture and platform
};

struct Catalog {
  std::string folder;
  std::vector<CatalogEntry> entries;    // sorted by name
  std::vector<std::string> unreadable;  // one line for each folder that is no app's
};

/// in     given: --catalog, "" = FLEET_CATALOG or what lies beside the program
/// errors not_found (no catalog)
proto::Result<Catalog> read_catalog(const std::string& given);

/// The entry of that name, else the one whose app is called so.
/// errors not_found: with the nearest name
proto::Result<CatalogEntry> find_entry(const Catalog& catalog, const std::string& name);

/// What `catalog:NAME` stands for, as paths: the image of the source's architecture and platform,
/// or all of them.
/// errors not_found (no such app; no such image: which there are)
proto::Result<std::vector<proto::ImageSource>> catalog_images(
    const Catalog& catalog, const proto::ImageSource& source);

/// "x86_64/{hvt,spt} aarch64/spt"
std::string image_kinds(const CatalogEntry& entry);

struct CatalogOptions {
  std::string folder;  // --catalog
  std::string name;
  std::string into = ".";
};
CommandResult list_catalog(Program& program, const CatalogOptions& options);

/// Writes an entry's manifest, its images being the catalog's, and the files that it names.
/// errors not_found (no such entry) | already_exists (nothing is written) | io
CommandResult copy_from_catalog(Program& program, const CatalogOptions& options);

}  // namespace fleetctl

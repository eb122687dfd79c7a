// What the files of manifest.h share. Not for others.
#pragma once

#include <string>
#include <string_view>

#include "fleet/v1/app.pb.h"
#include "proto/result.h"

namespace fleet::v1 {
class ApplicationDocument;
}

namespace proto::manifest_detail {

/// "health.deadline: what; fix" with the field as Error.element.
Error broken(std::string_view field, std::string_view what);

bool is_name(std::string_view text);            // [a-z][a-z0-9-]{0,39}
bool is_host_name(std::string_view text);       // labels of 1..63, 253 in all
bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);
bool is_ipv4_with_prefix(std::string_view text);  // A.B.C.D/N
bool is_sha256(std::string_view text);
bool holds_variable(std::string_view text);     // ((name)), variables.cc
bool is_pattern(const std::string& text);       // what Var.pattern may be, variables.cc
bool is_printable(std::string_view text);       // no control bytes
std::string indexed(std::string_view field, int index);  // "publish[1]"

Status check_range(std::string_view field, std::uint64_t value, std::uint64_t low,
                   std::uint64_t high);
/// The same for times and sizes, whose bounds are printed with their units.
Status check_duration(std::string_view field, std::uint64_t ms, std::uint64_t low_ms,
                      std::uint64_t high_ms);
Status check_size(std::string_view field, std::uint64_t bytes, std::uint64_t low,
                  std::uint64_t high);

/// All of the manifest but images and files, defaults included. errors bad_manifest
Status fill_manifest(const fleet::v1::ApplicationDocument& in, fleet::v1::AppManifest& out);

// The parts of check_manifest.
Status check_vars(const fleet::v1::AppManifest& manifest);        // vars, and where they are used
Status check_network(const fleet::v1::AppManifest& manifest);     // network, publish, on_down
Status check_health(const fleet::v1::AppManifest& manifest);
Status check_life(const fleet::v1::AppManifest& manifest);        // restart, update, rollout

}  // namespace proto::manifest_detail

// Bytes of the other side of the link, and a signed manifest of a later version.
#include <cstddef>
#include <cstdint>
#include <google/protobuf/stubs/logging.h>

#include "fleet/v1/link.pb.h"
#include "proto/json.h"
#include "proto/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const google::protobuf::LogSilencer quiet;
  fleet::v1::Envelope envelope;
  if (envelope.ParseFromArray(data, static_cast<int>(size))) {
    const auto text = proto::to_json(envelope);
    fleet::v1::Envelope again;
    // Unknown fields and values have no JSON; what is known reads back.
    if (text) static_cast<void>(proto::from_json(*text, again));
  }
  fleet::v1::AppManifest manifest;
  if (manifest.ParseFromArray(data, static_cast<int>(size))) {
    for (const auto stage : {proto::ManifestStage::unresolved, proto::ManifestStage::complete}) {
      const auto checked = proto::check_manifest(manifest, stage);
      FLEET_ASSERT(checked || !checked.error().what.empty());
    }
    static_cast<void>(proto::check_known(manifest));
    static_cast<void>(proto::check_supported(manifest));
  }
  return 0;
}

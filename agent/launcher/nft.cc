// libnftables behind one call.
#include "agent/launcher/nft.h"

#include <nftables/libnftables.h>

#include <algorithm>

namespace launcher {

Nft::Nft() : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
  FLEET_ASSERT(context_ != nullptr);
  nft_ctx_buffer_output(context_);
  nft_ctx_buffer_error(context_);
}

Nft::~Nft() { nft_ctx_free(context_); }

proto::Status Nft::run(const std::string& commands) {
  const int result = nft_run_cmd_from_buffer(context_, commands.c_str());
  const char* words = nft_ctx_get_error_buffer(context_);
  const std::string error = words == nullptr ? "" : words;
  nft_ctx_get_output_buffer(context_);  // empties it
  if (result == 0) return {};
  return proto::Error{proto::Code::launcher,
                      "nftables: " + error.substr(0, std::min<std::size_t>(error.find('\n'), 200)),
                      ""};
}

}  // namespace launcher

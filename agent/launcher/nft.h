// Runs nftables commands through libnftables: each run is one transaction, all or nothing.
#pragma once

#include <string>

#include "proto/result.h"

struct nft_ctx;

namespace launcher {

class Nft {
 public:
  Nft();
  ~Nft();
  Nft(const Nft&) = delete;
  Nft& operator=(const Nft&) = delete;

  /// Errors: launcher with nftables' own words; then nothing was changed.
  proto::Status run(const std::string& commands);

 private:
  nft_ctx* context_;
};

}  // namespace launcher

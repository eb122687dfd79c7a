// Whose fault a failure is, by its code: the image's, so that it will fail elsewhere too; the
// device's, so that others may well take it; or the network's, so that it may go well later.
#pragma once

#include "fleet/v1/api.pb.h"

namespace proto {

fleet::v1::Cause cause_of(fleet::v1::Code code);
/// "image", "device", "network"; "" for none.
const char* word_of_cause(fleet::v1::Cause cause);

}  // namespace proto

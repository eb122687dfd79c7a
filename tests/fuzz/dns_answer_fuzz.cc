// Any bytes as the answer to a DNS health probe. The first byte chooses the question.
#include <cstddef>
#include <cstdint>
#include <span>

#include "agent/dns_probe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const auto kHost = *agent::parse_dns_question("www.example.test A");
  static const auto kRoot = *agent::parse_dns_question(" NS");
  const auto& question = (data[0] & 1) != 0 ? kHost : kRoot;
  // The id is taken from the answer, so that judging goes beyond it.
  const std::span<const uint8_t> answer(data + 1, size - 1);
  const auto id = static_cast<uint16_t>(answer.size() < 2 ? 0 : answer[0] << 8 | answer[1]);
  const auto records = agent::judge_dns_answer(answer, question, id);
  FLEET_ASSERT(!records || *records > 0);
  return 0;
}

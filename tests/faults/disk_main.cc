// faults_disk: traces and the disk model for scripts.
//   faults_disk calls TRACE                        one line per call
//   faults_disk make BEFORE TRACE CUT LOSS INTO    the directory after a cut behind CUT calls; LOSS
//                                                  is none, unsynced or a seed
//   faults_disk peer TRACE CUT PEER-TRACE          how many calls the peer had made by then
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/faults/disk_model.h"

namespace {

using faults::Loss;
using proto::Status;

Status calls(const std::string& trace) {
  TRY(const auto ops, faults::read_trace(trace));
  for (const faults::Op& op : ops) std::printf("%s\n", describe(op).c_str());
  return {};
}

Status make(const std::vector<std::string>& arguments) {
  TRY(const faults::Tree before, faults::read_tree(arguments[0]));
  TRY(const auto ops, faults::read_trace(arguments[1]));
  const std::string& word = arguments[3];
  Loss loss{Loss::Kind::seeded, std::strtoull(word.c_str(), nullptr, 10)};
  if (word == "none") loss.kind = Loss::Kind::none;
  if (word == "unsynced") loss.kind = Loss::Kind::unsynced;
  const std::size_t cut = std::strtoull(arguments[2].c_str(), nullptr, 10);
  if (cut > ops.size()) {
    return proto::Error{proto::Code::bad_argument,
                        "the trace has " + std::to_string(ops.size()) + " calls", ""};
  }
  return faults::write_tree(faults::after_cut(before, ops, cut, loss), arguments[4]);
}

Status peer(const std::vector<std::string>& arguments) {
  TRY(const auto ops, faults::read_trace(arguments[0]));
  const std::size_t cut = std::strtoull(arguments[1].c_str(), nullptr, 10);
  // Behind the last call the peer went on to its end.
  const std::uint64_t bytes = cut < ops.size() ? ops[cut].peer_bytes : ~std::uint64_t{0};
  TRY(const auto of_peer, faults::read_trace(arguments[2], bytes));
  std::printf("%zu\n", of_peer.size());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  Status done = proto::Error{proto::Code::bad_argument, "calls | make | peer; see the source", ""};
  if (words.size() == 2 && words[0] == "calls") done = calls(rest[0]);
  if (words.size() == 6 && words[0] == "make") done = make(rest);
  if (words.size() == 4 && words[0] == "peer") done = peer(rest);
  if (done) return 0;
  std::fprintf(stderr, "error: %s\n", done.error().what.c_str());
  return 1;
}

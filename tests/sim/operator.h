// Operator: signs releases, pushes them and gives orders, as people with fleetctl do: sometimes two
// at once, sometimes the same twice, and not always with a release that works.
#pragma once

#include <cstdint>
#include <string>

#include "controller/rollout.h"
#include "proto/result.h"
#include "tests/unit/agent/fakes.h"

namespace sim {

class World;

class Operator {
 public:
  explicit Operator(World& world) : world_(world) {}

  enum class As { started, staged };
  /// Pushes the next release, whose guests behave so, or has it fetched and verified alone.
  /// out: the rollout's number; 0: refused
  std::int64_t push(const std::string& selector, const tests::Script& script,
                    As as = As::started);
  /// Two of them sign the same next number; only one can have it.
  void push_twice(const std::string& selector);
  void order(fleet::v1::OrderKind kind, const std::string& selector);
  void abort_newest();
  /// Pause, resume, retry or abort a rollout that was begun, under way or not.
  void change_any();
  /// Decides on devices that are ahead of a restored controller: what they run is wanted.
  void accept_ahead();
  /// A device gets its ring's label, or loses it: it joins what names the ring, or leaves it.
  void relabel_any();
  /// Another value of the releases' variable, or none, which makes it the default's again.
  void configure(const std::string& selector);
  /// Any of these, by chance.
  void act(bool bad_releases);

 private:
  struct Prepared {
    fleet::v1::PushRequest request;
    ota::Sha256 image;
  };
  void refresh();
  void give_back();
  Prepared prepare(const std::string& selector);
  fleet::v1::RolloutPolicy any_policy();
  std::int64_t send(const Prepared& prepared, const tests::Script& script,
                    const std::string& key);
  void yank_one();
  std::string any_selector();
  tests::Script any_script(bool bad_releases);
  void tell(const std::string& what);

  World& world_;
  fleet::v1::MetadataUpload seen_;
  int pushes_ = 0;
};

}  // namespace sim

// Selectors: which devices a person means (UX C). `edge`, `site=lyon`, `role=resolver,site!=paris`,
// `site in (lyon,paris)`, `all`. A comma means "and". Pure: no store, no rights.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace controller {

inline constexpr std::size_t kMaxSelectorBytes = 1024;
inline constexpr std::size_t kMaxSelectorTerms = 16;

/// A device as selectors see it.
struct Subject {
  std::string id;
  std::string name;
  std::vector<std::string> groups;
  std::map<std::string, std::string> labels;
};

/// True when one of the groups is the device's, or there are no groups.
bool is_within(const std::vector<std::string>& groups, const Subject& device);

/// One condition.
struct SelectorTerm {
  enum class Kind { all, word, equals, differs, one_of };
  Kind kind = Kind::all;
  std::string word;                 // a device's or a group's name, or a label's
  std::vector<std::string> values;  // of the label

  bool matches(const Subject& subject) const;
  bool operator==(const SelectorTerm&) const = default;
};

struct Selector {
  std::vector<SelectorTerm> terms;

  /// True if every term matches. `site!=paris` is also true of a device without that label.
  bool matches(const Subject& subject) const;
};

/// errors bad_argument, naming the place and what was expected there
proto::Result<Selector> parse_selector(std::string_view text);

/// What to say when nothing matched.
struct Suggestion {
  std::string message;  // "label site has no value \"lyonn\"; nearest: lyon (3 devices)"
  std::vector<std::string> nearest;  // words to put there, best first
  std::vector<std::string> known;    // values that there are, at most 20
};
Suggestion suggest(const Selector& selector, std::string_view text,
                   const std::vector<Subject>& fleet);

}  // namespace controller

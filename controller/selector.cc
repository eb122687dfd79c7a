#include "controller/selector.h"

#include <algorithm>
#include <utility>

#include "proto/document.h"

namespace controller {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '/';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Selector> run() {
    Selector selector;
    do {
      if (selector.terms.size() == kMaxSelectorTerms) {
        return Error{Code::too_large,
                     "a selector has at most " + std::to_string(kMaxSelectorTerms) + " terms", ""};
      }
      TRY(SelectorTerm term, parse_term());
      selector.terms.push_back(std::move(term));
    } while (take(','));
    skip_blanks();
    if (at_ < text_.size()) return expected("a comma or the end");
    return selector;
  }

 private:
  Result<SelectorTerm> parse_term() {
    SelectorTerm term;
    TRY(term.word, parse_word("a name or a label"));
    skip_blanks();
    if (text_.substr(at_, 2) == "!=") {
      at_ += 2;
      term.kind = SelectorTerm::Kind::differs;
    } else if (take('=')) {
      term.kind = SelectorTerm::Kind::equals;
    } else if (take_in()) {
      term.kind = SelectorTerm::Kind::one_of;
      return parse_list(std::move(term));
    } else {
      term.kind = term.word == "all" ? SelectorTerm::Kind::all : SelectorTerm::Kind::word;
      return term;
    }
    TRY(std::string value, parse_word("a value"));
    term.values.push_back(std::move(value));
    return term;
  }

  Result<SelectorTerm> parse_list(SelectorTerm term) {
    if (!take('(')) return expected("( after `in`");
    do {
      TRY(std::string value, parse_word("a value"));
      term.values.push_back(std::move(value));
    } while (take(','));
    if (!take(')')) return expected("a comma or )");
    return term;
  }

  Result<std::string> parse_word(const char* what) {
    skip_blanks();
    const std::size_t from = at_;
    while (at_ < text_.size() && is_word_char(text_[at_])) ++at_;
    if (at_ == from) return expected(what);
    return std::string(text_.substr(from, at_ - from));
  }

  // The word `in`, with something that ends it behind.
  bool take_in() {
    if (text_.substr(at_, 2) != "in") return false;
    const std::size_t next = at_ + 2;
    if (next < text_.size() && is_word_char(text_[next])) return false;
    at_ = next;
    return true;
  }

  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  Error expected(const std::string& what) const {
    const std::string found =
        at_ < text_.size() ? "\"" + std::string(text_.substr(at_, 12)) + "\"" : "the end";
    return Error{Code::bad_argument,
                 "selector, column " + std::to_string(at_ + 1) + ": expected " + what + ", found " +
                     found + "; for example: edge | site=lyon,role!=spare | site in (lyon,paris)",
                 ""};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

using Counts = std::map<std::string, int>;

std::vector<std::string> keys_of(const Counts& counts) {
  std::vector<std::string> keys;
  for (const auto& [key, count] : counts) keys.push_back(key);
  return keys;
}

std::string counted(const std::string& word, const Counts& counts) {
  const int count = counts.at(word);
  return word + " (" + std::to_string(count) + (count == 1 ? " device)" : " devices)");
}

// Fills a suggestion with the nearest of what there is, then with the most frequent ones.
void add_known(Suggestion& out, const std::string& word, const Counts& counts) {
  constexpr std::size_t kShown = 3;
  constexpr std::size_t kKnown = 20;
  if (counts.empty()) return;
  const std::string nearest = proto::nearest_word(word, keys_of(counts));
  if (!nearest.empty()) out.nearest.push_back(nearest);
  std::vector<std::pair<int, std::string>> frequent;
  for (const auto& [value, count] : counts) frequent.emplace_back(-count, value);
  std::sort(frequent.begin(), frequent.end());
  for (const auto& [count, value] : frequent) {
    if (out.known.size() < kKnown) out.known.push_back(value);
    if (out.nearest.size() < kShown && value != nearest) out.nearest.push_back(value);
  }
  out.message += nearest.empty() ? "; there are: " : "; nearest: ";
  for (std::size_t i = 0; i < out.nearest.size(); ++i) {
    out.message += (i == 0 ? "" : ", ") + counted(out.nearest[i], counts);
  }
}

Suggestion suggest_word(const SelectorTerm& term, const std::vector<Subject>& fleet) {
  Suggestion out;
  Counts counts;
  for (const Subject& subject : fleet) {
    ++counts[subject.name];
    for (const std::string& group : subject.groups) ++counts[group];
  }
  out.message = "no device and no group is named \"" + term.word + "\"";
  add_known(out, term.word, counts);
  return out;
}

Suggestion suggest_label(const SelectorTerm& term, const std::vector<Subject>& fleet) {
  Suggestion out;
  Counts labels;
  Counts values;
  for (const Subject& subject : fleet) {
    for (const auto& [name, value] : subject.labels) {
      ++labels[name];
      if (name == term.word) ++values[value];
    }
  }
  if (values.empty()) {
    out.message = "no device has a label \"" + term.word + "\"";
    add_known(out, term.word, labels);
  } else {
    out.message = "label " + term.word + " has no value \"" + term.values.front() + "\"";
    add_known(out, term.values.front(), values);
  }
  return out;
}

}  // namespace

bool SelectorTerm::matches(const Subject& subject) const {
  if (kind == Kind::all) return true;
  if (kind == Kind::word) {
    return subject.name == word ||
           std::find(subject.groups.begin(), subject.groups.end(), word) != subject.groups.end();
  }
  const auto label = subject.labels.find(word);
  const bool has = label != subject.labels.end() &&
                   std::find(values.begin(), values.end(), label->second) != values.end();
  return kind == Kind::differs ? !has : has;
}

bool is_within(const std::vector<std::string>& groups, const Subject& device) {
  const auto has = [&device](const std::string& group) {
    return std::find(device.groups.begin(), device.groups.end(), group) != device.groups.end();
  };
  return groups.empty() || std::any_of(groups.begin(), groups.end(), has);
}

bool Selector::matches(const Subject& subject) const {
  return std::all_of(terms.begin(), terms.end(),
                     [&](const SelectorTerm& term) { return term.matches(subject); });
}

Result<Selector> parse_selector(std::string_view text) {
  if (text.size() > kMaxSelectorBytes) {
    return Error{Code::too_large,
                 "a selector has at most " + std::to_string(kMaxSelectorBytes) + " characters", ""};
  }
  return Parser(text).run();
}

Suggestion suggest(const Selector& selector, std::string_view text,
                   const std::vector<Subject>& fleet) {
  if (fleet.empty()) {
    return {"no device is enrolled yet: fleetctl enroll-token", {}, {}};
  }
  for (const SelectorTerm& term : selector.terms) {
    const bool any = std::any_of(fleet.begin(), fleet.end(),
                                 [&](const Subject& subject) { return term.matches(subject); });
    if (any || term.kind == SelectorTerm::Kind::differs) continue;
    return term.kind == SelectorTerm::Kind::word ? suggest_word(term, fleet)
                                                 : suggest_label(term, fleet);
  }
  return {"each part of \"" + std::string(text) + "\" matches devices, but no device matches all",
          {}, {}};
}

}  // namespace controller

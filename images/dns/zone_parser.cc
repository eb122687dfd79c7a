#include "images/dns/zone_parser.h"

#include <algorithm>

#include "images/dns/record_data.h"

namespace images::dns {
namespace {

/// Records as they come, before they are sorted into an array.
struct Node {
  Record record;
  Node* next = nullptr;
};

/// In each set (sorted records of one name and type), drop what is there already and give all the
/// first one's TTL: RFC 2181 sections 5 and 5.2. Returns how many stay, at the front.
std::size_t settle_sets(std::span<Record> records) {
  std::size_t kept = 0;
  std::size_t set = 0;  // where the set of the last kept record begins
  for (Record record : records) {
    const bool same_set = kept > 0 && record.type == records[kept - 1].type &&
                          same_name(record.name, records[kept - 1].name);
    if (!same_set) set = kept;
    const auto first = records.begin() + static_cast<std::ptrdiff_t>(set);
    const auto last = records.begin() + static_cast<std::ptrdiff_t>(kept);
    if (std::any_of(first, last, [&](const Record& other) {
          return std::equal(other.data.begin(), other.data.end(), record.data.begin(),
                            record.data.end());
        })) {
      continue;
    }
    if (same_set) record.ttl_s = records[set].ttl_s;
    records[kept++] = record;
  }
  return kept;
}

class Parser {
 public:
  Parser(std::string_view text, runtime::Arena& arena) : scanner_(text), arena_(arena) {}

  ZoneFault run(std::string_view origin_text, Zone& out);

 private:
  ZoneFault fail(const char* what, std::string_view word = {}) const {
    return {what, word, entry_.line};
  }
  ZoneFault take_entry();
  ZoneFault take_directive();
  ZoneFault take_record();
  ZoneFault take_owner(std::span<const Word>& words);
  ZoneFault add_record(std::uint16_t type, std::span<const std::uint8_t> data);
  ZoneFault finish(Zone& out);
  ZoneFault check(std::span<const Record> records) const;
  ZoneFault check_name(std::span<const Record> records, NameView apex) const;
  bool keep(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t>& out);

  Scanner scanner_;
  runtime::Arena& arena_;
  Entry entry_;
  DataBuffer data_;
  Name origin_;
  Name owner_;
  NameView kept_owner_;  // owner_ in the arena; empty until it is needed
  bool has_owner_ = false;
  bool has_ttl_ = false;       // of $TTL, or of the last record that told one
  std::uint32_t ttl_s_ = 0;
  bool told_ttl_ = false;      // in this record
  std::uint32_t record_ttl_s_ = 0;
  Node* nodes_ = nullptr;
  std::size_t count_ = 0;
  const Node* soa_ = nullptr;
};

bool Parser::keep(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t>& out) {
  auto* place = static_cast<std::uint8_t*>(arena_.allocate(bytes.size(), 1));
  if (place == nullptr) return false;
  std::copy(bytes.begin(), bytes.end(), place);
  out = {place, bytes.size()};
  return true;
}

ZoneFault Parser::run(std::string_view origin_text, Zone& out) {
  const Name root;
  if (!parse_name(origin_text, root.view(), origin_)) {
    return {"the file's name is not a domain name with .zone behind it", origin_text, 0};
  }
  while (scanner_.next(entry_)) {
    const ZoneFault fault = take_entry();
    if (fault.failed()) return fault;
  }
  if (scanner_.fault() != nullptr) return {scanner_.fault(), {}, scanner_.line()};
  return finish(out);
}

ZoneFault Parser::take_entry() {
  const Word& first = entry_.words[0];
  const bool directive = !first.quoted && first.text.starts_with('$');
  return directive ? take_directive() : take_record();
}

ZoneFault Parser::take_directive() {
  const std::string_view what = entry_.words[0].text;
  if (what != "$ORIGIN" && what != "$TTL") {
    return fail("this server reads only the directives $ORIGIN and $TTL, not", what);
  }
  if (entry_.count != 2) return fail("one value must follow", what);
  const std::string_view value = entry_.words[1].text;
  if (what == "$TTL") {
    if (!parse_ttl(value, ttl_s_)) return fail("not a time", value);
    has_ttl_ = true;
    return {};
  }
  Name origin;
  if (!parse_name(value, origin_.view(), origin)) return fail("not a domain name", value);
  origin_ = origin;
  return {};
}

ZoneFault Parser::take_owner(std::span<const Word>& words) {
  if (entry_.starts_with_blank) {
    if (!has_owner_) return fail("the first record names no owner");
    return {};
  }
  if (!parse_name(words[0].text, origin_.view(), owner_)) {
    return fail("not a domain name", words[0].text);
  }
  has_owner_ = true;
  kept_owner_ = {};
  words = words.subspan(1);
  return {};
}

ZoneFault Parser::take_record() {
  std::span<const Word> words = entry_.all();
  const ZoneFault fault = take_owner(words);
  if (fault.failed()) return fault;
  told_ttl_ = false;
  bool told_class = false;
  // TTL and class may come in either order; neither is a type's name.
  while (!words.empty()) {
    const std::string_view word = words[0].text;
    if (!told_class && (word == "IN" || word == "in" || word == "CLASS1")) {
      told_class = true;
    } else if (!told_ttl_ && !word.empty() && word[0] >= '0' && word[0] <= '9') {
      if (!parse_ttl(word, record_ttl_s_)) return fail("not a time", word);
      told_ttl_ = true;
    } else {
      break;
    }
    words = words.subspan(1);
  }
  if (words.empty()) return fail("a record without a type");
  const std::string_view type_text = words[0].text;
  if (type_text == "CH" || type_text == "HS" || type_text == "CS") {
    return fail("only class IN is served, not", type_text);
  }
  const std::uint16_t type = type_number(type_text);
  if (type == 0) {
    return fail("not a type that this server knows, nor TYPEnnn of RFC 3597", type_text);
  }
  const DataFault data_fault = parse_data(type, words.subspan(1), origin_.view(), data_);
  if (data_fault.failed()) return fail(data_fault.what, data_fault.word);
  return add_record(type, {data_.bytes.data(), data_.size});
}

ZoneFault Parser::add_record(std::uint16_t type, std::span<const std::uint8_t> data) {
  if (!told_ttl_ && !has_ttl_) {
    // RFC 2308 section 4: a SOA without any TTL before it gives its minimum.
    if (type != kSoa) return fail("no TTL: none here, and no $TTL above");
    const auto minimum = data.last(4);
    ttl_s_ = 0;
    for (const std::uint8_t byte : minimum) ttl_s_ = ttl_s_ << 8 | byte;
    has_ttl_ = true;
  }
  const std::uint32_t ttl_s = told_ttl_ ? record_ttl_s_ : ttl_s_;
  auto* node = arena_.make<Node>();
  constexpr const char* kNoMemory = "the zones do not fit into memory: give the app more";
  if (node == nullptr || !keep(data, node->record.data)) return fail(kNoMemory);
  if (kept_owner_.empty() && !keep(owner_.view(), kept_owner_)) return fail(kNoMemory);
  node->record.name = kept_owner_;
  node->record.ttl_s = ttl_s;
  node->record.type = type;
  node->record.line = entry_.line;
  node->next = nodes_;
  nodes_ = node;
  ++count_;
  if (type == kSoa) {
    if (soa_ != nullptr) return fail("a second SOA: one zone, one SOA");
    soa_ = node;
  }
  return {};
}

ZoneFault Parser::finish(Zone& out) {
  if (count_ == 0) return {"the zone is empty: no record in it", {}, 0};
  if (soa_ == nullptr) return {"the zone has no SOA record", {}, 0};
  auto* records = arena_.make_array<Record>(count_);
  if (records == nullptr) return {"the zones do not fit into memory: give the app more", {}, 0};
  std::size_t at = count_;
  for (const Node* node = nodes_; node != nullptr; node = node->next) {
    records[--at] = node->record;  // the list runs backwards
  }
  std::span<Record> all(records, count_);
  // Ties are broken by line, so that records keep the file's order within a set.
  std::sort(all.begin(), all.end(), [](const Record& a, const Record& b) {
    const int names = compare_names(a.name, b.name);
    if (names != 0) return names < 0;
    return a.type != b.type ? a.type < b.type : a.line < b.line;
  });
  all = all.first(settle_sets(all));
  const ZoneFault fault = check(all);
  if (fault.failed()) return fault;
  const auto soa = std::find_if(all.begin(), all.end(),
                                [](const Record& record) { return record.type == kSoa; });
  out = Zone(soa->name, all, &*soa);
  return {};
}

ZoneFault Parser::check(std::span<const Record> records) const {
  const NameView apex = soa_->record.name;
  bool apex_has_ns = false;
  for (std::size_t begin = 0; begin < records.size();) {
    std::size_t end = begin + 1;
    while (end < records.size() && same_name(records[end].name, records[begin].name)) ++end;
    const auto same = records.subspan(begin, end - begin);
    const ZoneFault fault = check_name(same, apex);
    if (fault.failed()) return fault;
    if (same_name(same[0].name, apex)) apex_has_ns = !of_type(same, kNs).empty();
    begin = end;
  }
  if (!apex_has_ns) return {"the zone's own name has no NS record", {}, soa_->record.line};
  return {};
}

ZoneFault Parser::check_name(std::span<const Record> records, NameView apex) const {
  if (!is_below_or_same(records[0].name, apex)) {
    return {"the record lies outside the zone of the SOA", {}, records[0].line};
  }
  std::size_t set_bytes = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    if (record.type == kCname && records.size() > 1) {
      return {"a CNAME must be the only record of its name", {}, record.line};
    }
    const bool same_set = i > 0 && records[i - 1].type == record.type;
    set_bytes = (same_set ? set_bytes : 0) + record.data.size() + 12;
    if (set_bytes > kMaxSetBytes) {
      return {"too many or too long records of one name and type", {}, record.line};
    }
  }
  return {};
}

}  // namespace

std::string_view zone_of_path(std::string_view path) {
  constexpr std::string_view kFolder = "/zones/";
  constexpr std::string_view kEnding = ".zone";
  if (!path.starts_with(kFolder) || !path.ends_with(kEnding)) return {};
  path.remove_prefix(kFolder.size());
  path.remove_suffix(kEnding.size());
  return path.find('/') == std::string_view::npos ? path : std::string_view{};
}

ZoneFault parse_zone(std::string_view text, std::string_view origin_text, runtime::Arena& arena,
                     Zone& out) {
  Parser parser(text, arena);
  return parser.run(origin_text, out);
}

}  // namespace images::dns

#include "tests/faults/disk_model.h"

#include <algorithm>
#include <optional>
#include <set>

#include "proto/result.h"

namespace faults {
namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kPageBytes = 4096;

// A well mixed number out of several: splitmix64.
std::uint64_t mixed(std::initializer_list<std::uint64_t> numbers) {
  std::uint64_t state = 0;
  for (const std::uint64_t number : numbers) {
    state += number + 0x9e3779b97f4a7c15;
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
    state ^= state >> 31;
  }
  return state;
}

// A file or directory, whatever its names are. `changes` are numbers of calls.
struct Node {
  Entry first;                       // durable from the start
  std::vector<std::size_t> changes;  // of bytes, size and mode
  std::size_t bytes_synced = 0;      // calls before this one are durable
  std::size_t mode_synced = 0;
};

// One change of names: a file came, went or moved. A name is a directory's node and a word.
using Name = std::pair<std::size_t, std::string>;
struct Renaming {
  std::optional<Name> gone;
  std::optional<Name> came;
  std::size_t node = 0;  // that came
  bool durable = false;
};

class Model {
 public:
  Model(const Tree& before, const std::vector<Op>& ops) : ops_(ops) {
    nodes_.push_back({{true, 0700, ""}, {}, 0, 0});
    for (const auto& [path, entry] : before) {
      nodes_.push_back({entry, {}, 0, 0});
      names_[name_at(path)] = nodes_.size() - 1;
    }
    first_names_ = names_;
  }

  void apply(std::size_t index);
  Tree result(std::size_t count, Loss loss) const;

 private:
  Name name_at(const std::string& path) const;
  std::size_t node_at(const std::string& path) const;
  void rename_it(std::optional<Name> gone, std::optional<Name> came, std::size_t node);
  void sync(std::size_t node, std::size_t index, bool mode_too);
  std::vector<bool> kept_renamings(Loss loss) const;
  Entry content(std::size_t node, std::size_t count, Loss loss) const;
  void collect(const std::map<Name, std::size_t>& names, std::size_t directory,
               const std::string& path, std::size_t count, Loss loss, Tree& tree) const;

  const std::vector<Op>& ops_;
  std::vector<Node> nodes_;             // the first is the root
  std::map<Name, std::size_t> names_;   // as the program sees them
  std::map<Name, std::size_t> first_names_;
  std::vector<Renaming> renamings_;
};

Name Model::name_at(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {0, path};
  return {node_at(path.substr(0, slash)), path.substr(slash + 1)};
}

std::size_t Model::node_at(const std::string& path) const {
  if (path.empty()) return 0;
  const auto found = names_.find(name_at(path));
  FLEET_ASSERT(found != names_.end());
  return found->second;
}

void Model::rename_it(std::optional<Name> gone, std::optional<Name> came, std::size_t node) {
  if (gone) names_.erase(*gone);
  if (came) names_[*came] = node;
  renamings_.push_back({std::move(gone), std::move(came), node, false});
}

void Model::sync(std::size_t node, std::size_t index, bool mode_too) {
  nodes_[node].bytes_synced = index;
  if (mode_too) nodes_[node].mode_synced = index;
  if (!nodes_[node].first.directory) return;
  const auto here = [node](const std::optional<Name>& name) {
    return name && name->first == node;
  };
  for (Renaming& one : renamings_) one.durable |= here(one.gone) || here(one.came);
}

void Model::apply(std::size_t index) {
  const Op& op = ops_[index];
  switch (op.call) {
    case Call::create:
    case Call::make_dir: {
      const bool directory = op.call == Call::make_dir;
      nodes_.push_back({{directory, static_cast<std::uint32_t>(op.argument), ""}, {}, 0, 0});
      rename_it(std::nullopt, name_at(op.path), nodes_.size() - 1);
      break;
    }
    case Call::write:
    case Call::resize:
    case Call::allocate:
    case Call::seal: nodes_[node_at(op.path)].changes.push_back(index); break;
    case Call::rename: rename_it(name_at(op.path), name_at(op.to), node_at(op.path)); break;
    case Call::unlink: rename_it(name_at(op.path), std::nullopt, 0); break;
    case Call::sync: sync(node_at(op.path), index, true); break;
    case Call::sync_data: sync(node_at(op.path), index, false); break;
  }
}

// Which changes of names the disk kept. Later ones need the earlier ones of the same name.
std::vector<bool> Model::kept_renamings(Loss loss) const {
  std::vector<bool> kept(renamings_.size());
  std::set<Name> needed;
  for (std::size_t i = renamings_.size(); i-- > 0;) {
    const Renaming& one = renamings_[i];
    const auto is_needed = [&needed](const std::optional<Name>& name) {
      return name && needed.count(*name) == 1;
    };
    bool keep = one.durable || is_needed(one.gone) || is_needed(one.came);
    if (loss.kind == Loss::Kind::none) keep = true;
    if (loss.kind == Loss::Kind::seeded) keep |= mixed({loss.seed, 1, i}) % 2 == 0;
    kept[i] = keep;
    if (!keep) continue;
    if (one.gone) needed.insert(*one.gone);
    if (one.came) needed.insert(*one.came);
  }
  return kept;
}

// Parts of a file that are no sectors.
constexpr std::uint64_t kSizePart = ~std::uint64_t{0};
constexpr std::uint64_t kModePart = kSizePart - 1;

// Until which call a part of a file got to the disk: at least what was synced.
std::size_t reached(std::size_t synced, std::size_t count, Loss loss, std::uint64_t node,
                    std::uint64_t part) {
  if (loss.kind == Loss::Kind::none) return count;
  if (loss.kind == Loss::Kind::unsynced || count <= synced) return synced;
  // Files are lost, kept, or sized without their bytes more often than chance would have it.
  switch (mixed({loss.seed, 2, node}) % 5) {
    case 0: return synced;
    case 1: return count;
    case 2: return part == kSizePart ? count : synced;
    default: break;
  }
  const std::uint64_t draw = mixed({loss.seed, 3, node, part});
  if (draw % 4 == 0) return synced;
  if (draw % 4 == 1) return count;
  return synced + draw / 4 % (count - synced + 1);
}

Entry Model::content(std::size_t node, std::size_t count, Loss loss) const {
  const Node& of = nodes_[node];
  Entry out = of.first;
  const std::uint64_t part_bytes =
      mixed({loss.seed, 4, node}) % 2 == 0 ? kSectorBytes : kPageBytes;
  const auto has = [&](std::size_t change, std::uint64_t part) {
    return change < reached(of.bytes_synced, count, loss, node, part);
  };
  std::uint64_t size = out.bytes.size();
  for (const std::size_t change : of.changes) {
    const Op& op = ops_[change];
    const bool sizes = has(change, kSizePart);
    if (op.call == Call::seal) {
      const bool sealed = change < reached(of.mode_synced, count, loss, node, kModePart);
      if (sealed) out.mode = static_cast<std::uint32_t>(op.argument);
      continue;
    }
    if (op.call == Call::allocate) {
      if (sizes) size = std::max(size, op.argument);
      continue;
    }
    if (op.call == Call::resize) {
      if (!sizes) continue;
      if (op.argument < out.bytes.size()) out.bytes.resize(op.argument);
      size = op.argument;
      continue;
    }
    const std::uint64_t end = op.argument + op.data.size();
    if (sizes) size = std::max(size, end);
    if (out.bytes.size() < end) out.bytes.resize(end, '\0');
    for (std::uint64_t at = op.argument; at < end;) {
      const std::uint64_t part = at / part_bytes;
      const std::uint64_t until = std::min(end, (part + 1) * part_bytes);
      const std::uint64_t count_here = until - at;
      if (has(change, part)) {
        out.bytes.replace(at, count_here, op.data, at - op.argument, count_here);
      }
      at = until;
    }
  }
  out.bytes.resize(size, '\0');
  return out;
}

void Model::collect(const std::map<Name, std::size_t>& names, std::size_t directory,
                    const std::string& path, std::size_t count, Loss loss, Tree& tree) const {
  for (auto at = names.lower_bound({directory, ""});
       at != names.end() && at->first.first == directory; ++at) {
    const std::string child = path.empty() ? at->first.second : path + "/" + at->first.second;
    tree[child] = content(at->second, count, loss);
    if (tree[child].directory) collect(names, at->second, child, count, loss, tree);
  }
}

Tree Model::result(std::size_t count, Loss loss) const {
  const std::vector<bool> kept = kept_renamings(loss);
  std::map<Name, std::size_t> names = first_names_;
  for (std::size_t i = 0; i < renamings_.size(); ++i) {
    if (!kept[i]) continue;
    if (renamings_[i].gone) names.erase(*renamings_[i].gone);
    if (renamings_[i].came) names[*renamings_[i].came] = renamings_[i].node;
  }
  Tree tree;
  collect(names, 0, "", count, loss, tree);
  return tree;
}

}  // namespace

std::string name_of(const Loss& loss) {
  switch (loss.kind) {
    case Loss::Kind::none: return "none";
    case Loss::Kind::unsynced: return "unsynced";
    case Loss::Kind::seeded: return "seed-" + std::to_string(loss.seed);
  }
  return "unknown";
}

Tree after_cut(const Tree& before, const std::vector<Op>& ops, std::size_t count, Loss loss) {
  FLEET_ASSERT(count <= ops.size());
  Model model(before, ops);
  for (std::size_t index = 0; index < count; ++index) model.apply(index);
  return model.result(count, loss);
}

std::uint64_t fingerprint(const Tree& tree) {
  const std::hash<std::string> hash;
  std::uint64_t all = 0;
  for (const auto& [path, entry] : tree) {
    all = mixed({all, hash(path), hash(entry.bytes), entry.mode, entry.directory ? 1U : 0U});
  }
  return all;
}

}  // namespace faults

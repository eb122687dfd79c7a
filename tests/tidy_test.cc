// The house style as a test: include directions and library fences (DESIGN 3), sizes and bans
// (STYLE A). It reads the tracked sources as text and names file and line of what it finds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Line {
  std::string file;  // relative to the root
  std::size_t number;
  std::string text;
};

struct Source {
  std::string file;
  std::vector<Line> lines;
};

const std::vector<std::string> kFolders = {"proto", "ota",        "images", "boards",
                                           "agent", "controller", "deploy", "tests"};

bool is_code(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".h" || extension == ".cc";
}

std::vector<Source> read_sources() {
  std::vector<Source> sources;
  const fs::path root = FLEET_SOURCE_DIR;
  for (const std::string& folder : kFolders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file() || !is_code(entry.path())) continue;
      Source source;
      source.file = fs::relative(entry.path(), root).string();
      if (source.file.find("node_modules") != std::string::npos) continue;
      std::ifstream stream(entry.path());
      std::string text;
      std::size_t number = 0;
      while (std::getline(stream, text)) source.lines.push_back({source.file, ++number, text});
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

const std::vector<Source>& sources() {
  static const std::vector<Source> all = read_sources();
  return all;
}

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

std::string place(const Line& line) { return line.file + ":" + std::to_string(line.number); }

// The quoted path of an #include, or "".
std::string included(const std::string& text, char open, char close) {
  static const std::string word = "#include";
  const std::size_t at = text.find(word);
  if (at == std::string::npos) return "";
  const std::size_t from = text.find(open, at + word.size());
  if (from == std::string::npos) return "";
  const std::size_t to = text.find(close, from + 1);
  return to == std::string::npos ? "" : text.substr(from + 1, to - from - 1);
}

// Who may include whom. The longest matching prefix of a file is its rule.
struct Rule {
  std::string from;
  std::vector<std::string> may;
};

const std::vector<Rule> kRules = {
    {"proto/", {"proto/", "fleet/v1/"}},
    {"ota/", {"ota/", "proto/", "fleet/v1/"}},
    {"images/abi/", {"images/abi/"}},
    {"images/inspect", {"images/inspect", "images/abi/", "proto/"}},
    {"images/", {"images/"}},
    {"boards/", {"boards/", "images/inspect", "proto/", "fleet/v1/"}},
    {"agent/launcher/",
     {"agent/launcher/", "images/abi/serial_line.h", "proto/code.h", "proto/result.h",
      "proto/limits.h"}},
    {"agent/tenders/", {"agent/tenders/", "images/abi/", "proto/code.h", "proto/limits.h"}},
    // The config volume's writer shares its format with the guest's reader.
    {"agent/monitors/",
     {"agent/", "ota/", "proto/", "fleet/v1/", "boards/", "images/inspect", "images/abi/"}},
    {"agent/", {"agent/", "ota/", "proto/", "fleet/v1/", "boards/", "images/inspect"}},
    {"controller/", {"controller/", "ota/", "proto/", "fleet/v1/", "boards/", "images/inspect"}},
    // It reads an app's files as the images will.
    {"deploy/fleetctl/config_check", {"deploy/", "proto/", "fleet/v1/", "images/"}},
    {"deploy/", {"deploy/", "ota/", "proto/", "fleet/v1/", "boards/", "images/inspect"}},
};

const Rule* rule_for(const std::string& file) {
  const Rule* best = nullptr;
  for (const Rule& rule : kRules) {
    if (!starts_with(file, rule.from)) continue;
    if (best == nullptr || rule.from.size() > best->from.size()) best = &rule;
  }
  return best;
}

TEST(Tidy, IncludesGoOnlyWhereTheDesignAllows) {
  for (const Source& source : sources()) {
    const Rule* rule = rule_for(source.file);
    if (rule == nullptr) continue;  // tests may include everything
    for (const Line& line : source.lines) {
      const std::string path = included(line.text, '"', '"');
      if (path.find('/') == std::string::npos) continue;
      const bool allowed = std::any_of(rule->may.begin(), rule->may.end(), [&](const auto& may) {
        return starts_with(path, may);
      });
      EXPECT_TRUE(allowed) << place(line) << ": " << rule->from << " may not include " << path;
    }
  }
}

TEST(Tidy, NothingOfOursIncludesTests) {
  for (const Source& source : sources()) {
    if (starts_with(source.file, "tests/")) continue;
    for (const Line& line : source.lines) {
      EXPECT_FALSE(starts_with(included(line.text, '"', '"'), "tests/")) << place(line);
    }
  }
}

// A library header, and the files that may include it.
struct Fence {
  std::regex header;
  std::vector<std::string> inside;
};

const std::vector<Fence>& fences() {
  static const std::vector<Fence> all = {
      {std::regex("^mbedtls/"), {"proto/tls", "proto/identity", "ota/keys"}},
      {std::regex("^sodium"), {"ota/hash", "ota/keys"}},
      {std::regex("^curl/"), {"ota/fetch_main", "deploy/fleetctl/"}},
      {std::regex("^boost/beast"),
       {"proto/tls", "proto/channel", "controller/http", "agent/http"}},
      {std::regex("^sqlite3\\.h"), {"ota/database"}},
      {std::regex("^soci"), {"controller/store"}},
      {std::regex("^linux/kvm"), {"agent/tenders/"}},
      {std::regex("^(nftables/|libmnl/|libnetfilter_conntrack/|linux/(netlink|rtnetlink))"),
       {"agent/launcher/"}},
      {std::regex("^linux/if_tun"), {"agent/launcher/", "agent/tenders/"}},
      {std::regex("^(sys/mount\\.h|sys/capability\\.h|seccomp\\.h)"), {"agent/launcher/"}},
      {std::regex("^yaml-cpp"), {"proto/yaml"}},
      {std::regex("^date/"), {"controller/windows"}},
      {std::regex("^zstd"), {"ota/delta"}},
      {std::regex("^prometheus/"), {"controller/metrics"}},
      {std::regex("^spawn\\.h"), {"ota/fetch", "deploy/fleetctl/build"}},
  };
  return all;
}

TEST(Tidy, LibrariesStayBehindTheirFences) {
  for (const Source& source : sources()) {
    if (starts_with(source.file, "tests/")) continue;
    for (const Line& line : source.lines) {
      const std::string header = included(line.text, '<', '>');
      if (header.empty()) continue;
      for (const Fence& fence : fences()) {
        if (!std::regex_search(header, fence.header)) continue;
        const bool inside =
            std::any_of(fence.inside.begin(), fence.inside.end(),
                        [&](const auto& prefix) { return starts_with(source.file, prefix); });
        EXPECT_TRUE(inside) << place(line) << ": <" << header << "> is fenced elsewhere";
      }
    }
  }
}

struct Ban {
  std::string text;
  std::string instead;
};

const std::vector<Ban> kBans = {
    {"asio::detached", "TaskGroup::spawn"},
    {"awaitable_operators", "Deadline or TaskGroup"},
    {"const auto& r = co_await", "take by value"},
    {"using namespace std", "names with std::"},
    {"GTEST_SKIP", "a test that runs, or none"},
    {"DISABLED_", "fix or delete"},
    {"FIXME", "mend it, or an issue"},
    {"XXX", "mend it, or an issue"},
    {"std::system(", "an argument vector, no shell"},
    {"popen(", "an argument vector, no shell"},
    {"strcpy(", "std::string"},
    {"sprintf(", "snprintf or std::string"},
};

TEST(Tidy, BannedWordsHaveAReplacement) {
  for (const Source& source : sources()) {
    if (source.file == "tests/tidy_test.cc") continue;
    for (const Line& line : source.lines) {
      for (const Ban& ban : kBans) {
        const std::size_t at = line.text.find(ban.text);
        if (at == std::string::npos) continue;
        const auto in_word = [&line](std::size_t place_in_line) {
          const char c = place_in_line < line.text.size() ? line.text[place_in_line] : ' ';
          return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
        };
        const bool longer_word =
            (at > 0 && in_word(at - 1)) || (in_word(at) && in_word(at + ban.text.size()));
        EXPECT_TRUE(longer_word) << place(line) << ": " << ban.text << "; use " << ban.instead;
      }
    }
  }
}

TEST(Tidy, LinesHaveAtMostAHundredColumns) {
  for (const Source& source : sources()) {
    for (const Line& line : source.lines) {
      // Columns, not bytes: continuation bytes of UTF-8 do not count.
      const auto columns = std::count_if(line.text.begin(), line.text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
      });
      EXPECT_LE(columns, 100) << place(line);
    }
  }
}

TEST(Tidy, FilesHaveAtMostFiveHundredLines) {
  for (const Source& source : sources()) {
    EXPECT_LE(source.lines.size(), 500u) << source.file << ": one job each";
  }
}

TEST(Tidy, HeadersBeginWithTheirPurposeAndAGuard) {
  for (const Source& source : sources()) {
    if (!source.file.ends_with(".h")) continue;
    ASSERT_FALSE(source.lines.empty()) << source.file;
    EXPECT_TRUE(starts_with(source.lines.front().text, "//")) << source.file << ": say its job";
    const bool guarded = std::any_of(source.lines.begin(), source.lines.end(),
                                     [](const Line& line) { return line.text == "#pragma once"; });
    EXPECT_TRUE(guarded) << source.file << ": #pragma once";
  }
}

TEST(Tidy, EveryTestFileIsBuilt) {
  // A test outside the gate dies: every *_test.cc is globbed or named by its folder's list.
  for (const Source& source : sources()) {
    if (!starts_with(source.file, "tests/") || !source.file.ends_with("_test.cc")) continue;
    const fs::path folder = (fs::path(FLEET_SOURCE_DIR) / source.file).parent_path();
    std::ifstream list(folder / "CMakeLists.txt");
    const std::string text((std::istreambuf_iterator<char>(list)),
                           std::istreambuf_iterator<char>());
    const std::string name = fs::path(source.file).filename().string();
    const bool built = text.find("*_test.cc") != std::string::npos ||
                       text.find(name) != std::string::npos;
    EXPECT_TRUE(built) << source.file << " is in no CMakeLists.txt";
  }
}

// `Suite.Test` and `name_test.sh` of the table of attacks.
TEST(Tidy, EveryTestThatTheThreatModelNamesIsThere) {
  std::ifstream stream(fs::path(FLEET_SOURCE_DIR) / "ota/THREATS.md");
  const std::string text((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  const std::regex named("`([A-Za-z]+)\\.([A-Z][A-Za-z0-9]+)`|`([a-z_/]+_test\\.sh)`");
  std::size_t found = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), named), end; at != end; ++at, ++found) {
    const std::smatch& match = *at;
    if (match[3].matched) {
      EXPECT_TRUE(fs::exists(fs::path(FLEET_SOURCE_DIR) / "tests" / match[3].str())) << match[3];
      continue;
    }
    const std::regex test("TEST(_F|_P)?\\(" + match[1].str() + ", " + match[2].str() + "\\)");
    const bool there = std::any_of(sources().begin(), sources().end(), [&](const Source& source) {
      return std::any_of(source.lines.begin(), source.lines.end(), [&](const Line& line) {
        return std::regex_search(line.text, test);
      });
    });
    EXPECT_TRUE(there) << match[0] << " is no test";
  }
  EXPECT_GT(found, 30u);
}

TEST(Tidy, TheTopLevelIsWhatTheDesignNames) {
  const std::set<std::string> allowed = {"agent",  "controller", "proto",     "images",
                                         "boards", "ota",        "deploy",    "tests",
                                         "build",  "LICENSE",    "README.md", "CHANGELOG.md",
                                         "CMakeLists.txt", "CMakePresets.json"};
  for (const auto& entry : fs::directory_iterator(FLEET_SOURCE_DIR)) {
    const std::string name = entry.path().filename().string();
    if (name.front() == '.') continue;
    EXPECT_TRUE(allowed.count(name) == 1) << name << " has no place at the top level";
  }
}

}  // namespace

// The tokens that operators log in with: their hashes, roles and groups. The token itself is
// nowhere.
#include "controller/store_sql.h"

namespace controller {
namespace {

using soci::into;
using soci::use;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::vector<ApiToken> select(Store::Session& session, const std::string& where,
                             const std::string& value) {
  ApiToken token;
  std::string groups;
  long long created = 0;
  long long expires = 0;
  Statement statement(session,
                      "SELECT name, role, groups_text, created_ms, expires_ms, by_name "
                      "FROM api_tokens " + where);
  statement.start(use(value), into(token.name), into(token.role), into(groups), into(created),
                  into(expires), into(token.by));
  std::vector<ApiToken> tokens;
  while (statement.fetch()) {
    token.groups = split(groups);
    token.created_ms = created;
    token.expires_ms = expires;
    tokens.push_back(token);
  }
  return tokens;
}

}  // namespace

Status Store::add_api_token(std::string_view hash, const ApiToken& token) {
  const std::string h(hash);
  const std::string groups = joined(token.groups);
  const long long created = token.created_ms;
  const long long expires = token.expires_ms;
  return guard("adding an API token", [&] {
    session_->run("INSERT INTO api_tokens (hash, name, role, created_ms, groups_text, expires_ms, "
                  "by_name) VALUES (:h,:n,:r,:t,:g,:e,:b)",
                  use(h), use(token.name), use(token.role), use(created), use(groups), use(expires),
                  use(token.by));
  });
}

Result<std::optional<ApiToken>> Store::api_token(std::string_view hash) {
  const std::string h(hash);
  return guard("reading an API token", [&]() -> std::optional<ApiToken> {
    std::vector<ApiToken> found = select(*session_, "WHERE hash = :v", h);
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  });
}

Result<std::vector<ApiToken>> Store::api_tokens() {
  return guard("reading the API tokens", [&] {
    return select(*session_, "WHERE name <> :v ORDER BY name, created_ms", std::string());
  });
}

Status Store::remove_api_token(std::string_view name) {
  const std::string n(name);
  return guard("removing an API token",
               [&] { session_->run("DELETE FROM api_tokens WHERE name = :n", use(n)); });
}

}  // namespace controller

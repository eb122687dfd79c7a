// Tokens of operators: made, listed, revoked. The secret is in the answer that makes it alone.
#include <algorithm>

#include "controller/api_routes.h"
#include "fleet/v1/api.pb.h"
#include "ota/hash.h"
#include "proto/json.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::size_t kMaxTokens = 1000;
constexpr int kMaxGroups = 32;
constexpr std::uint64_t kMaxTtlMs = 10ull * 365 * 24 * 3600 * 1000;

Error bad(std::string what, const char* element) {
  return {Code::bad_argument, std::move(what), element};
}

Status check(const v1::TokenRequest& request) {
  if (!is_name(request.name()) || request.name() == kController) {
    return bad("token " + request.name() + ": a name is at most 40 of a-z 0-9 -, and not `" +
                   kController + "`", "name");
  }
  if (role_of(request.role()) == Role::nobody) {
    return bad("role " + request.role() + ": one of viewer, deployer, admin", "role");
  }
  if (request.groups_size() > kMaxGroups) {
    return bad("at most " + std::to_string(kMaxGroups) + " groups", "groups");
  }
  for (const std::string& group : request.groups()) {
    if (is_name(group) && group != "all") continue;
    return bad("group " + group + ": a group is a name of a-z 0-9 -, not `all`; leave groups out"
               " for the whole fleet", "groups");
  }
  if (request.ttl_ms() > kMaxTtlMs) return bad("ttl: at most ten years", "ttl_ms");
  return {};
}

v1::Token to_api(const ApiToken& token) {
  v1::Token out;
  out.set_name(token.name);
  out.set_role(token.role);
  for (const std::string& group : token.groups) out.add_groups(group);
  out.set_created_ms(static_cast<std::uint64_t>(token.created_ms));
  out.set_expires_ms(static_cast<std::uint64_t>(token.expires_ms));
  out.set_by(token.by);
  return out;
}

std::string text_of(const ApiToken& token) {
  std::string text = "role " + token.role;
  for (const std::string& group : token.groups) text += ", group " + group;
  return text + (token.expires_ms == 0 ? "" : ", until " + std::to_string(token.expires_ms));
}

Result<v1::Token> create(Call& call) {
  TRY(const auto request, proto::from_json<v1::TokenRequest>(call.request.body));
  TRY_VOID(check(request));
  Store& store = call.parts.store;
  TRY(const auto tokens, store.api_tokens());
  const bool there = std::any_of(tokens.begin(), tokens.end(), [&request](const ApiToken& token) {
    return token.name == request.name();
  });
  if (there) {
    return Error{Code::already_exists,
                 "there is a token " + request.name() + " already; revoke it first: fleetctl token"
                 " revoke " + request.name(), request.name()};
  }
  if (tokens.size() >= kMaxTokens) {
    return Error{Code::too_large, "there are " + std::to_string(kMaxTokens) +
                 " tokens already; revoke some: fleetctl token list", ""};
  }
  ApiToken token;
  token.name = request.name();
  token.role = request.role();
  token.groups.assign(request.groups().begin(), request.groups().end());
  token.created_ms = call.parts.clock.wall_ms();
  if (request.ttl_ms() != 0) {
    token.expires_ms = token.created_ms + static_cast<std::int64_t>(request.ttl_ms());
  }
  token.by = call.caller.name;
  std::string secret = ota::random_token();
  Store::Transaction transaction(store);
  TRY_VOID(store.add_api_token(ota::hash_token(secret).hex(), token));
  TRY_VOID(call.parts.fleet.audit().record(
      {call.caller.name, "token.created", token.name, text_of(token)}));
  TRY_VOID(transaction.commit());
  v1::Token out = to_api(token);
  out.set_secret(secret);
  ota::wipe(secret);
  return out;
}

Status revoke(Call& call, const std::string& name) {
  Store& store = call.parts.store;
  TRY(const auto tokens, store.api_tokens());
  bool there = false;
  bool lasting_admin = false;
  bool other_admin = false;
  for (const ApiToken& token : tokens) {
    const bool lasting = token.expires_ms == 0 && token.groups.empty() && token.role == "admin";
    there = there || token.name == name;
    lasting_admin = lasting_admin || (lasting && token.name == name);
    other_admin = other_admin || (lasting && token.name != name);
  }
  if (!there) {
    return Error{Code::not_found, "no token " + name + "; see: fleetctl token list", name};
  }
  if (lasting_admin && !other_admin) {
    return Error{Code::conflict,
                 name + " is the last admin token that does not expire; make another one first:"
                 " fleetctl token create NAME --role admin", name};
  }
  Store::Transaction transaction(store);
  TRY_VOID(store.remove_api_token(name));
  TRY_VOID(call.parts.fleet.audit().record({call.caller.name, "token.revoked", name}));
  TRY_VOID(transaction.commit());
  call.parts.fleet.audit().forget(name);
  return {};
}

}  // namespace

awaitable<Response> list_tokens(Call call) {
  const auto tokens = call.parts.store.api_tokens();
  if (!tokens) co_return error_response(tokens.error());
  v1::TokenList list;
  for (const ApiToken& token : *tokens) *list.add_tokens() = to_api(token);
  co_return answer(list);
}

awaitable<Response> create_token(Call call) {
  const auto token = create(call);
  if (!token) co_return error_response(token.error());
  co_return answer(*token, 201);
}

awaitable<Response> revoke_token(Call call) {
  const Status revoked = revoke(call, call.words[0]);
  if (!revoked) co_return error_response(revoked.error());
  co_return json_response("", 204);
}

awaitable<Response> whoami(Call call) {
  v1::Whoami who;
  who.set_name(call.caller.name);
  who.set_role(word_of(call.caller.role));
  for (const std::string& group : call.caller.groups) who.add_groups(group);
  who.set_expires_ms(static_cast<std::uint64_t>(call.caller.expires_ms));
  co_return answer(who);
}

}  // namespace controller

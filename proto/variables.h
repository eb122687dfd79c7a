// Variables: what the `vars` of a signed manifest allow, which ((names)) a text uses, and texts
// with values in their place. Pure. It opens no secret, and no error of it holds one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/v1/app.pb.h"
#include "proto/result.h"

namespace proto {

/// Values by the names of their variables.
using Values = std::map<std::string, std::string>;

/// One ((name)) of a text.
struct VariableUse {
  std::string name;
  std::size_t offset = 0;      // of the first parenthesis
  std::size_t size_bytes = 0;  // parentheses included
};
/// In order. A name is of A-Z a-z 0-9 _ -, at most 60; any other "((" is text.
std::vector<VariableUse> variables_in(std::string_view text);

/// What a value must be, for people: "int, 1 to 10", "one of udp, tcp", "string, at most 32 bytes".
std::string describe(const fleet::v1::Var& var);

/// A declaration's own rules: its limits go with its type, and its default keeps to them.
/// errors bad_manifest; Error.element is the field ("vars.site.default")
Status check_declaration(const std::string& name, const fleet::v1::Var& var);

/// One value against what is declared. It is not asked about a variable that has none.
/// errors bad_argument, by name, and for a secret without its text
Status check_value(const std::string& name, const fleet::v1::Var& var, const std::string& value);

/// The declared name nearest to this one, as a hint: "; nearest: site", "; it declares site, tsig",
/// "; it declares none".
std::string near_variable(const fleet::v1::AppManifest& manifest, std::string_view name);

/// Puts values for each ((name)). errors bad_manifest (a name without a value, by name; more than
/// 1 MiB comes of it)
Result<std::string> fill(std::string_view text, const Values& values);

/// The manifest with values in args, env, hostname and network, checked as a whole once more: a
/// value may be good and what comes of it no host name.
/// in     values: of all its variables but secrets
/// errors as fill() and check_manifest()
Result<fleet::v1::AppManifest> with_values(const fleet::v1::AppManifest& manifest,
                                           const Values& values);

/// The ((names)) of a template. errors bad_manifest ("line 2: ((sit)) is not declared under vars;
/// nearest: site")
Status check_template(const fleet::v1::AppManifest& manifest, std::string_view text);

}  // namespace proto

// The commands about who may do what and who did: token, whoami, audit; and why.
#include "deploy/fleetctl/arguments_parts.h"
#include "deploy/fleetctl/audit.h"
#include "deploy/fleetctl/tokens.h"
#include "deploy/fleetctl/why.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

void add_tokens(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& options = keep_options<TokenOptions>(keep);
  CLI::App* token = app.add_subcommand("token", "Tokens that operators log in with");
  example(token, "fleetctl token create ana --role deployer --group edge");
  CLI::App* create = token->add_subcommand(
      "create", "Make one; with groups it sees and changes only their devices");
  create->add_option("NAME", options.name, "Whose it is, or what uses it")->required();
  create->add_option("--role", options.role, "viewer looks, deployer pushes, admin also removes")
      ->required()
      ->check(CLI::IsMember({"viewer", "deployer", "admin"}));
  create->add_option("--group", options.groups, "Only devices of this group; may be repeated")
      ->allow_extra_args(false);
  create
      ->add_option_function<std::string>(
          "--ttl",
          [&options](const std::string& text) {
            const auto parsed = proto::parse_duration_ms(text);
            if (!parsed) throw CLI::ValidationError("--ttl", parsed.error().what);
            options.ttl_ms = *parsed;
          },
          "How long it is good (for ever)")
      ->type_name("TIME");
  create->add_option("-o,--output", options.output, "File for the secret, mode 600; else stdout");
  example(create, "fleetctl token create ana --role deployer --group edge -o ana.token\n"
                  "  fleetctl token create prometheus --role viewer --ttl 365d -o scrape.token");
  runs(create, chosen, [&options](Program& program) { return create_token(program, options); });
  CLI::App* list = token->add_subcommand("list", "Who has which role, where, how long");
  example(list, "fleetctl token list");
  runs(list, chosen, [](Program& program) { return list_tokens(program); });
  CLI::App* revoke = token->add_subcommand("revoke", "End it at once, with all that it streams");
  revoke->add_option("NAME", options.name, "Which")->required();
  example(revoke, "fleetctl token revoke ana");
  runs(revoke, chosen,
       [&options](Program& program) { return revoke_token(program, options.name); });

  CLI::App* who = app.add_subcommand("whoami", "The role and the groups of your token");
  example(who, "fleetctl whoami");
  runs(who, chosen, [](Program& program) { return show_whoami(program); });
}

void add_audit(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& options = keep_options<AuditOptions>(keep);
  CLI::App* audit = app.add_subcommand("audit", "Who changed what, newest first");
  audit->add_option("--last", options.last, "So many entries (50)")->check(CLI::Range(1, 1000));
  CLI::Option* const who = audit->add_option(
      "--who", options.who, "Only by this token; \"controller\" for what nobody asked");
  CLI::Option* const action =
      audit->add_option("--action", options.action, "Only this, as rollout.started");
  CLI::Option* const object =
      audit->add_option("--object", options.object, "Only to this rollout, device, token or role");
  audit
      ->add_option("--to-file", options.to_file,
                   "Write the whole log there, checked, one JSON object per line")
      ->excludes(who)
      ->excludes(action)
      ->excludes(object);
  example(audit, "fleetctl audit --last 20\n  fleetctl audit --who ana --object r-7\n"
                 "  fleetctl audit --to-file audit.jsonl\n"
                 "  fleetctl audit verify");
  runs(audit, chosen, [&options](Program& program) { return show_audit(program, options); });
  CLI::App* verify = audit->add_subcommand(
      "verify", "Compute the log's chain anew, and compare it with what this machine saw before");
  verify->add_flag("--accept", options.accept,
                   "The log is right and what was seen before is not: after an older backup. Also "
                   "for what devices saw");
  example(verify, "fleetctl audit verify");
  runs(verify, chosen, [&options](Program& program) { return verify_audit(program, options); });
}

void add_why(CLI::App& app, Chosen& chosen, Keep& keep) {
  auto& options = keep_options<WhyOptions>(keep);
  CLI::App* why = app.add_subcommand("why", "Which rule holds a device back");
  why->add_option("DEVICE", options.device, "The device")->required();
  why->add_option("APP", options.app, "One app (all)");
  example(why, "fleetctl why edge-117 dns");
  runs(why, chosen, [&options](Program& program) { return show_why(program, options); });
}

}  // namespace

void add_access_commands(CLI::App& app, Chosen& chosen, Keep& keep) {
  add_why(app, chosen, keep);
  add_audit(app, chosen, keep);
  add_tokens(app, chosen, keep);
}

}  // namespace fleetctl

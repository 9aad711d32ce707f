// SPDX-License-Identifier: Apache-2.0
#include "config/command_line.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "config/config_file.h"
#include "config/nearest_name.h"
#include "config/option_table.h"
#include "config/option_value.h"

namespace engram {
namespace {

constexpr char kDescription[] =
    "Serves a DeepSeek-V3 model with Engram memory over HTTP (OpenAI's API) and gRPC.";

constexpr char kFooter[] =
    "Every setting may also stand in the --config file under its name without hyphens in front, as "
    "in\n"
    "{\"max-num-seqs\": 64, \"kv-cache-memory\": \"512MiB\"}; a flag wins over the file.\n"
    "\n"
    "Exit status: 0 stopped as asked; 1 failed while serving; 2 wrong flag, config or key file; 3 "
    "the\n"
    "model cannot be loaded; 4 it does not fit into memory; 5 cannot listen on a port; 130 or 143 "
    "ended\n"
    "at once by a second SIGINT or SIGTERM, or by the first while it was still loading.";

constexpr std::size_t kHelpNameColumns = 34;
constexpr std::size_t kHelpTextColumns = 66;

// The library's help with descriptions wrapped, and switches shown as --[no-]name.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    const std::vector<std::string>& names = option->get_lnames();
    if (names.size() == 2 && names[1] == "no-" + names[0]) return "--[no-]" + names[0];
    return CLI::Formatter::make_option_name(option, is_positional);
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    std::string wrapped;
    std::size_t column = 0;
    for (const auto word : absl::StrSplit(option->get_description(), ' ')) {
      if (column > 0 && column + 1 + word.size() > kHelpTextColumns) {
        wrapped += '\n';
        column = 0;
      }
      if (column > 0) wrapped += ' ';
      column += word.size() + (column > 0 ? 1 : 0);
      wrapped.append(word.data(), word.size());
    }
    return wrapped;
  }
};

// What was given on the command line, as text.
struct Given {
  std::map<std::string, std::vector<std::string>> texts;  // by option name
  std::map<std::string, bool> switches;
  std::string config_file;
  bool check_config = false;
  bool print_config = false;
};

std::string Default(const OptionSpec& option) { return absl::StrJoin(option.show(Config()), " "); }

void AddOption(const OptionSpec& option, CLI::App* app, Given* given) {
  const std::string flag = "--" + option.name;
  if (option.kind == OptionKind::kBool) {
    app->add_flag(
           absl::StrCat(flag, ",!--no-", option.name), given->switches[option.name],
           absl::StrCat(option.help, ". Default: ", Default(option) == "true" ? "on" : "off"))
        ->group(option.group);
    return;
  }
  std::string help = option.help;
  if (const std::string value = Default(option); !value.empty()) {
    absl::StrAppend(&help, ". Default: ", value);
  }
  const std::string names = option.alias.empty() ? flag : absl::StrCat(flag, ",--", option.alias);
  CLI::Option* added = app->add_option(names, given->texts[option.name], help);
  added->group(option.group)->type_name(option.value);
  if (option.kind == OptionKind::kList) {
    added->expected(1, 1 << 20);
  } else {
    added->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
}

void AddCommands(CLI::App* app, Given* given) {
  app->add_option("--config", given->config_file, "JSON file with settings")
      ->type_name("FILE")
      ->group("Commands");
  app->add_flag("--check-config", given->check_config,
                "Load and check everything, the model's files included, but serve nothing")
      ->group("Commands");
  app->add_flag("--print-config", given->print_config,
                "Print all settings as a config file, and stop")
      ->group("Commands");
  app->get_option("--help")->group("Commands");
}

CLI::App* AddHealthcheck(CLI::App* app, HealthcheckOptions* options, std::string* timeout) {
  CLI::App* healthcheck = app->add_subcommand(
      "healthcheck", "Ask a running server whether it is ready: exit status 0 if so, else 1");
  healthcheck->add_option("--host", options->host, "Default: 127.0.0.1")->type_name("ADDRESS");
  healthcheck->add_option("--http-port,--port", options->port, "Default: 8000")
      ->type_name("N")
      ->check(CLI::Range(1, 65535));
  healthcheck->add_option("--path", options->path, "/ready or /live. Default: /ready")
      ->type_name("PATH");
  healthcheck->add_option("--timeout", *timeout, "Default: 5")->type_name("SECONDS");
  return healthcheck;
}

CLI::App* AddTableKeeper(CLI::App* app, TableKeeperCommand* command, std::string* memory) {
  CLI::App* keeper = app->add_subcommand(
      "table-keeper",
      "Hold Engram tables in memory, so that a server that starts again need not read them again");
  keeper->add_option("--socket", command->socket_path, "What --engram-config names as \"keeper\"")
      ->type_name("PATH")
      ->required();
  keeper->add_option("--memory", *memory,
                     "For all tables together. Default: half of the machine's memory")
      ->type_name("BYTES");
  CLI::Option* list =
      keeper->add_flag("--list", command->list, "Print what the keeper at the socket holds");
  keeper
      ->add_option("--drop", command->drop,
                   "Have the keeper at the socket let go of a table (its name as --list shows it, "
                   "or all)")
      ->type_name("NAME")
      ->excludes(list);
  return keeper;
}

absl::Status UnknownArgument(const std::string& argument, const std::vector<OptionSpec>& options) {
  if (!absl::StartsWith(argument, "--")) {
    return absl::InvalidArgumentError(
        absl::StrCat("unexpected argument '", argument, "'; see --help"));
  }
  std::vector<std::string> names = {"config", "check-config", "print-config", "help", "version"};
  for (const OptionSpec& option : options) {
    names.push_back(option.name);
    if (option.kind == OptionKind::kBool) names.push_back("no-" + option.name);
  }
  const std::string flag = argument.substr(2, argument.find('=') - 2);
  std::string message = absl::StrCat("unknown flag --", flag);
  if (const auto nearest = NearestName(flag, names); nearest.has_value()) {
    absl::StrAppend(&message, "; did you mean --", *nearest, "?");
  } else {
    absl::StrAppend(&message, "; see --help");
  }
  return absl::InvalidArgumentError(message);
}

absl::Status ApplyFlags(const CLI::App& app, const Given& given,
                        const std::vector<OptionSpec>& options, Config* config) {
  for (const OptionSpec& option : options) {
    const std::string flag = "--" + option.name;
    if (app.count(flag) == 0) continue;
    const std::vector<std::string> texts =
        option.kind == OptionKind::kBool
            ? std::vector<std::string>{given.switches.at(option.name) ? "true" : "false"}
            : given.texts.at(option.name);
    if (const absl::Status status = option.set(texts, config); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(flag, ": ", Message(status)));
    }
  }
  return absl::OkStatus();
}

std::string BaseName(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

// argv is parsed: file, then flags, then what depends on both.
absl::StatusOr<CommandLine> Resolve(const CLI::App& app, const Given& given,
                                    const std::vector<OptionSpec>& options) {
  CommandLine line;
  if (!given.config_file.empty()) {
    RETURN_IF_ERROR(ApplyConfigFile(given.config_file, &line.config));
  }
  RETURN_IF_ERROR(ApplyFlags(app, given, options, &line.config));
  if (line.config.served_model_names.empty() && !line.config.model.empty()) {
    line.config.served_model_names = {BaseName(line.config.model)};
  }
  if (given.print_config) {
    line.command = Command::kPrint;
    line.text = ConfigToJson(line.config);
    return line;
  }
  RETURN_IF_ERROR(CheckConsistent(line.config));
  if (given.check_config) line.command = Command::kCheckConfig;
  return line;
}

absl::StatusOr<CommandLine> Healthcheck(HealthcheckOptions options, const std::string& timeout) {
  CommandLine line;
  line.command = Command::kHealthcheck;
  if (!timeout.empty()) {
    const auto parsed = ParseSeconds(timeout, std::chrono::milliseconds(1), std::chrono::hours(1));
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--timeout: ", Message(parsed.status())));
    }
    options.timeout = *parsed;
  }
  line.healthcheck = std::move(options);
  return line;
}

absl::StatusOr<CommandLine> TableKeeper(TableKeeperCommand command, const std::string& memory) {
  CommandLine line;
  line.command = Command::kTableKeeper;
  if (!memory.empty()) {
    const auto parsed = ParseBytes(memory, 1, INT64_MAX);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--memory: ", Message(parsed.status())));
    }
    command.memory_bytes = *parsed;
  }
  line.table_keeper = std::move(command);
  return line;
}

CommandLine Print(std::string text) {
  CommandLine line;
  line.command = Command::kPrint;
  line.text = std::move(text);
  return line;
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                             const std::string& version) {
  CLI::App app(kDescription, "engram-server");
  app.footer(kFooter);
  app.set_version_flag("--version", version)->group("Commands");
  app.allow_extras();
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(kHelpNameColumns);
  const std::vector<OptionSpec> options = AllOptions();
  Given given;
  AddCommands(&app, &given);
  for (const OptionSpec& option : options) AddOption(option, &app, &given);
  HealthcheckOptions healthcheck;
  std::string healthcheck_timeout;
  const CLI::App* const asks_health = AddHealthcheck(&app, &healthcheck, &healthcheck_timeout);
  TableKeeperCommand table_keeper;
  std::string keeper_memory;
  const CLI::App* const keeps_tables = AddTableKeeper(&app, &table_keeper, &keeper_memory);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Print(app.help());
  } catch (const CLI::CallForVersion&) {
    return Print(version);
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  if (!unknown.empty()) return UnknownArgument(unknown.front(), options);
  if (asks_health->parsed()) return Healthcheck(std::move(healthcheck), healthcheck_timeout);
  if (keeps_tables->parsed()) return TableKeeper(std::move(table_keeper), keeper_memory);
  return Resolve(app, given, options);
}

}  // namespace engram

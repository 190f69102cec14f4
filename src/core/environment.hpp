#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fercli {

/// What code a run ran besides the program's own.
struct LoadedPlugIn {
  std::string file, sha256;
};

template <class Visitor>
void visit_fields(Visitor& field, LoadedPlugIn& plug_in) {
  field("file", plug_in.file);
  field("sha256", plug_in.sha256);
}

std::vector<LoadedPlugIn> loaded_plug_ins();

/// What a result must record about where it ran.
struct Environment {
  std::string version, revision, build, compiler, libtorch, cpu, instruction_set;
  int64_t threads = 0;
  std::vector<LoadedPlugIn> plug_ins;
};

template <class Visitor>
void visit_fields(Visitor& field, Environment& environment) {
  field("version", environment.version);
  field("revision", environment.revision);
  field("build", environment.build);
  field("compiler", environment.compiler);
  field("libtorch", environment.libtorch);
  field("cpu", environment.cpu);
  field.defaulted("instruction_set", environment.instruction_set);  // cards written before it was recorded lack it
  field("threads", environment.threads);
  field.unless_empty("plug_ins", environment.plug_ins);
}

Environment this_environment();

}  // namespace fercli

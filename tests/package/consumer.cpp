// A program of somebody else: classifies a picture with a shipped network and attacks it, by the installed library.
#include <cstdio>
#include <exception>

#include "attacks/engine/attack.hpp"
#include "data/image.hpp"
#include "models/checkpoint.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto checkpoint = fercli::load_checkpoint("/usr/share/fercli/models/standard.pt");
    const auto classifier = fercli::make_classifier(checkpoint, {});
    const auto x = fercli::read_image(argv[1], 1).unsqueeze(0).to(torch::kFloat) / 255;
    const auto label = classifier.logits(x).argmax(1).item<int64_t>();
    const auto attacks = fercli::Registry<fercli::AttackEntry>::instance().names();
    std::printf("%s is %s; %zu attacks\n", argv[1], checkpoint.classes.name(label).c_str(), attacks.size());
    return attacks.empty() ? 1 : 0;  // they register themselves: the linker must have kept them
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

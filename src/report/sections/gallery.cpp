// Faces before and after, with what the network says of them.
#include <fmt/format.h>

#include <stdexcept>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "report/section.hpp"

namespace fercli::gallery_section {

namespace {

std::string png_of(const View& view) {
  try {
    return decode_base64(view.text());
  } catch (const std::invalid_argument&) {
    throw UserError(fmt::format("report: {} is not an image in base64", view.pointer()));
  }
}

Text verdict(const Page& page, const View& answer) {
  return page.class_name(answer.at("class")) + plain(" ") + page.metric(answer.at("confidence"));
}

Text caption(const Page& page, const View& entry) {
  Text text = page.say("gallery.caption", {{"label", page.class_name(entry.at("label"))},
                                           {"linf", page.number(entry.at("linf"), NumberFormat::Grey)}});
  if (entry.at("psnr")) {
    text = text + plain(", PSNR ") + page.number(entry.at("psnr"), NumberFormat::Decibels);
  }
  return text;
}

Text perturbation(const Page& page, const View& entry) {
  const View factor = entry.at("perturbation_factor");
  if (!factor) return page.say("gallery.perturbation");
  return page.say("gallery.perturbation_times", {{"factor", page.number(factor, NumberFormat::Count)}});
}

Card card(const Page& page, const std::string& name, const View& entry) {
  const std::string label = page.class_words(entry.at("label").text());
  const std::string after = page.class_words(entry.at("adversarial").at("class").text());
  Card card;
  card.pictures.push_back(page.picture(name + "-original", png_of(entry.at("original")),
                                       page.words("gallery.original_alt", {{"label", label}}),
                                       page.say("gallery.original") + plain(" ") + verdict(page, entry.at("clean"))));
  if (entry.at("perturbation")) {
    card.pictures.push_back(page.picture(name + "-perturbation", png_of(entry.at("perturbation")),
                                         page.words("gallery.perturbation_alt"), perturbation(page, entry)));
  }
  card.pictures.push_back(
      page.picture(name + "-adversarial", png_of(entry.at("adversarial_png")),
                   page.words("gallery.adversarial_alt", {{"label", label}, {"answer", after}}),
                   page.say("gallery.adversarial") + plain(" ") + verdict(page, entry.at("adversarial"))));
  card.caption = caption(page, entry);
  return card;
}

std::vector<Block> write(const Page& page) {
  std::vector<Block> blocks;
  for (const auto& [model, entries] : page.models("gallery")) {
    Gallery gallery;
    for (size_t i = 0; i < entries.size(); ++i) {
      const View entry = entries.at(i);
      if (!entry.at("drawn").flag() && !page.options().include_images) continue;
      gallery.cards.push_back(card(page, fmt::format("gallery-{}-{}", slug(model), i + 1), entry));
    }
    if (gallery.cards.empty()) continue;
    if (blocks.empty()) blocks.push_back(Paragraph{page.say("gallery.intro")});
    add_model(blocks, page, model, {gallery});
  }
  return blocks;
}

const RegisterTexts texts{
    {"gallery.title", {"Gallery", "Galerie"}},
    {"gallery.intro",
     {"Before, the change (made visible), and after, as saved in 8 bits and read back.",
      "Avant, le changement (rendu visible), et après, tel qu’enregistré en 8 bits et relu."}},
    {"gallery.original", {"Before:", "Avant :"}},
    {"gallery.perturbation_times", {"The change, {factor} times as strong", "Le changement, {factor} fois plus fort"}},
    {"gallery.perturbation", {"The change, made visible", "Le changement, rendu visible"}},
    {"gallery.adversarial", {"After:", "Après :"}},
    {"gallery.original_alt", {"Unaltered face, {label}", "Visage intact, {label}"}},
    {"gallery.perturbation_alt", {"What was added, amplified", "Ce qui a été ajouté, amplifié"}},
    {"gallery.adversarial_alt",
     {"The face after the attack: {label}, taken for {answer}",
      "Le visage après l’attaque : {label}, pris pour {answer}"}},
    {"gallery.caption",
     {"True emotion: {label}; largest change {linf}", "Émotion vraie : {label} ; plus grand écart {linf}"}},
};

const Register<Section> registered{{"gallery", 70, write}};

}  // namespace

}  // namespace fercli::gallery_section

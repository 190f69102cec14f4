// What can be proved: certified accuracy of the randomly smoothed network.
#include <algorithm>
#include <cmath>

#include "report/section.hpp"

namespace fercli::smoothing_section {

namespace {

/// The end of an axis that holds all bands, in steps of 20 %.
double top_of(const std::vector<PlotCurve>& curves) {
  double highest = 1;
  for (const auto& curve : curves) {
    for (const auto& point : curve.points)
      highest = std::max({highest, point.y, std::isnan(point.high) ? 0 : point.high});
  }
  return std::min(100.0, 20 * std::ceil(highest / 20));
}

std::vector<Block> curves(const Page& page, const ModelView& model) {
  CurvePlot plot;
  plot.title =
      page.words("smoothing.figure_title", {{"model", model.name}, {"data", page.data_name(model.view.at("images"))}});
  plot.x_label = page.words("axis.radius");
  plot.y_label = page.words("axis.certified_accuracy");
  plot.language = page.language();
  plot.points = false;
  for (const auto& curve : model.view.at("curves").elements()) {
    plot.curves.push_back(
        {"sigma " + format_number(curve.at("sigma").number(), NumberFormat::Short, page.language()), {}});
    for (size_t i = 0; i < curve.at("radius").size(); ++i) {
      plot.curves.back().points.push_back(
          curve_point(curve.at("radius").at(i).number(), curve.at("certified_accuracy").at(i)));
    }
  }
  if (plot.curves.empty()) return {};
  plot.y_top = top_of(plot.curves);
  const View& part = model.view;
  return page.figure("certified-accuracy-" + slug(model.name), plot_curves(plot),
                     page.words("smoothing.alt", {{"model", model.name}}),
                     page.say("smoothing.figure", {{"images", page.number(part.at("images"), NumberFormat::Count)},
                                                   {"n0", page.number(part.at("n0"), NumberFormat::Count)},
                                                   {"n", page.number(part.at("n"), NumberFormat::Count)},
                                                   {"alpha", page.number(part.at("alpha"), NumberFormat::Short)}}));
}

Table sigmas_table(const Page& page, const View& part) {
  Table table{page.say("smoothing.table"),
              {{plain("sigma")},
               {page.say("column.accuracy_smoothed")},
               {page.say("column.abstained")},
               {page.say("column.average_radius")}},
              {}};
  for (const auto& curve : part.at("curves").elements()) {
    table.rows.push_back({{page.number(curve.at("sigma"), NumberFormat::Short)},
                          {page.metric(curve.at("accuracy"))},
                          {page.number(curve.at("abstained"), NumberFormat::Count)},
                          {page.metric(curve.at("average_certified_radius"), NumberFormat::Fixed)}});
  }
  return table;
}

Table radii_table(const Page& page, const View& curve) {
  Table table{page.say("smoothing.radii", {{"sigma", page.number(curve.at("sigma"), NumberFormat::Short)}}),
              {{page.say("column.radius")}, {page.say("column.certified_accuracy")}},
              {},
              true};
  for (size_t i = 0; i < curve.at("radius").size(); ++i) {
    table.rows.push_back({{page.number(curve.at("radius").at(i), NumberFormat::Short)},
                          {page.metric(curve.at("certified_accuracy").at(i))}});
  }
  return table;
}

std::vector<Block> of_model(const Page& page, const ModelView& model) {
  auto blocks = curves(page, model);
  blocks.push_back(sigmas_table(page, model.view));
  for (const auto& curve : model.view.at("curves").elements()) blocks.push_back(radii_table(page, curve));
  return blocks;
}

std::vector<Block> write(const Page& page) {
  return write_models(page, "smoothing", of_model);
}

const RegisterTexts texts{
    {"smoothing.title", {"Certified accuracy", "Exactitude certifiée"}},
    {"smoothing.intro",
     {"Attacks show what is lost at most; a certificate proves what is kept. The smoothed model answers what the "
      "network says most often of noisy copies of an image (Cohen, Rosenfeld and Kolter, ICML 2019). It is another "
      "classifier than the one attacked above, and the certificate is about it.",
      "Les attaques montrent ce qui se perd ; un certificat prouve ce qui reste. Le modèle lissé répond ce que le "
      "réseau dit le plus souvent de copies bruitées d’une image (Cohen, Rosenfeld et Kolter, ICML 2019). Ce n’est "
      "pas le classifieur attaqué plus haut, et le certificat porte sur lui."}},
    {"smoothing.figure_title",
     {"{model}: certified accuracy against radius, {data}", "{model} : exactitude certifiée selon le rayon, {data}"}},
    {"smoothing.alt",
     {"Certified accuracy of {model} against the L2 radius, one curve per sigma",
      "Exactitude certifiée de {model} selon le rayon L2, une courbe par sigma"}},
    {"smoothing.figure",
     {"Share of {images} images that are proved right up to the radius; {n0} draws choose the class, {n} certify it, "
      "and a certificate is wrong with a probability of at most {alpha}. Bands are 95 % intervals over the images.",
      "Part de {images} images prouvées justes jusqu’au rayon ; {n0} tirages choisissent la classe, {n} la "
      "certifient, et un certificat est faux avec une probabilité d’au plus {alpha}. Bandes : intervalles à 95 % sur "
      "les images."}},
    {"smoothing.table",
     {"The smoothed model at each strength of the noise (sigma, pixels in [0,1]).",
      "Le modèle lissé à chaque force du bruit (sigma, pixels dans [0,1])."}},
    {"smoothing.radii",
     {"Certified accuracy at each radius, sigma {sigma}", "Exactitude certifiée à chaque rayon, sigma {sigma}"}},
    {"axis.radius", {"radius (L2, pixels in [0,1])", "rayon (L2, pixels dans [0,1])"}},
    {"axis.certified_accuracy", {"certified accuracy (%)", "exactitude certifiée (%)"}},
};

const Register<Section> registered{{"smoothing", 100, write}};

}  // namespace

}  // namespace fercli::smoothing_section

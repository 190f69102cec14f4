#include "eval/experiment_records.hpp"

#include "record/document_kind.hpp"

namespace fercli {

namespace {

const Register<DocumentKind> robustness_table{
    {"robustness-table", "results/robustness.json and robust-methods.json, of experiments/robust-results.sh",
     schema_of_record<RobustnessTable>}};
const Register<DocumentKind> published_protocol{
    {"published-protocol", "results/published-protocol.json, of experiments/published_protocol.cpp",
     schema_of_record<PublishedProtocol>}};

}  // namespace

}  // namespace fercli

"""Cards of a leaderboard (fercli schema leaderboard-card) from a table of robust-results.sh (fercli schema robustness-table).

    python3 experiments/leaderboard_cards.py TABLE.json LINK EPS FOLDER

Writes FOLDER/NAME.json for each network of the table, with its figures under AutoAttack at EPS ("4/255"). LINK: where the
networks are.
"""

import json
import sys

FEWEST_OF_CLASS = 10  # as fercli leaderboard has it

NAMES = {
    "standard": ("standard", "shipped; no defence"),
    "robust": ("robust", "shipped; de Jorge et al., arXiv:2202.01181"),
    "nfgsm": ("N-FGSM", "method: de Jorge et al., arXiv:2202.01181"),
    "fgsm-rs": ("FGSM-RS", "method: Wong et al., arXiv:2001.03994"),
    "pgd": ("PGD-AT", "method: Madry et al., arXiv:1706.06083"),
    "trades": ("TRADES", "method: Zhang et al., arXiv:1901.08573"),
    "mart": ("MART", "method: Wang et al., ICLR 2020"),
    "awp": ("PGD-AT + AWP", "method: Wu et al., arXiv:2004.05884"),
    "free": ("Free", "method: Shafahi et al., arXiv:1904.12843"),
}


def card_of(network, eps, data, link):
    attack = next(a for a in network["attacks"] if a["name"] == "autoattack")
    at = attack["eps"].index(eps)
    name, paper = NAMES[network["name"]]
    classes = [(c["class"], c["robust"][at]) for c in attack["by_class"] if c["robust"][at]["n"] >= FEWEST_OF_CLASS]
    worst, worst_accuracy = min(classes, key=lambda c: c[1]["value"])
    return {
        "schema": "fercli-leaderboard-card/1",
        "name": name,
        "authors": "fercli developers",
        "link": link,
        "venue": paper,
        "architecture": network["arch"],
        "additional_data": False,
        "number_forward_passes": 1,
        "dataset": f"{data['name']} {data['split']}",
        "norm": "Linf",
        "eps": eps,
        "clean_acc": f"{100 * attack['accuracy']['value']:.2f}",
        "autoattack_acc": f"{100 * attack['robust_accuracy'][at]['value']:.2f}",
        "clean": attack["accuracy"],
        "balanced_clean": attack["balanced_accuracy"],
        "robust": attack["robust_accuracy"][at],
        "balanced_robust": attack["balanced"][at],
        "worst_class": {"class": worst, "robust_accuracy": worst_accuracy},
        "digest": network["digest"],
    }


def main(table, link, eps, folder):
    with open(table, encoding="utf-8") as file:
        document = json.load(file)
    for network in document["models"]:
        with open(f"{folder}/{network['name']}.json", "w", encoding="utf-8") as file:
            json.dump(card_of(network, eps, document["data"], link), file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])

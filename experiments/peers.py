"""Runs the published libraries on the reference networks and images, for experiments/peers.sh.

    python3 experiments/peers.py REFERENCE OUT.csv

Needs PyTorch and whichever of these are installed; what is missing is said and left out:

    foolbox              github.com/bethgelab/foolbox               2513a9a8675d7017e5266d3b0ed89124cb436ec5 (3.3.4)
    torchattacks         github.com/Harry24k/adversarial-attacks-pytorch  23620a694a3660e4f194c3e4d28992bced7785a1 (3.5.1)
    adversarial-library  github.com/jeromerony/adversarial-library  9dec220 (0.2.8)
    auto-attack          github.com/fra31/auto-attack               a39220048b3c9f2cca9a4d3a54604793c68eca7e

Writes one line per image: model,peer,attack,norm,image,distance ("inf": nothing found).
"""

import csv
import importlib
import sys

import torch

CLASSES = 7
EPS_OF_AUTOATTACK = {"Linf": 4 / 255, "L2": 0.5}


def have(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed and left out", file=sys.stderr)
        return None


def distance(x, x_adv, norm):
    difference = (x_adv - x).flatten(1).double()
    if norm == "L0":
        return (difference.abs() > 1e-9).sum(1).double()
    return difference.norm(p={"L1": 1, "L2": 2, "Linf": float("inf")}[norm], dim=1)


def judged(model, x, y, x_adv, norm):
    """Distances of what fools the network, infinite elsewhere."""
    with torch.no_grad():
        fooled = model(x_adv.clamp(0, 1)).argmax(1) != y
    return torch.where(fooled, distance(x, x_adv, norm), torch.full_like(y, float("inf"), dtype=torch.float64))


def foolbox_attacks(foolbox):
    attacks = foolbox.attacks
    yield "fmn", "Linf", attacks.LInfFMNAttack(steps=100)
    yield "fmn", "L2", attacks.L2FMNAttack(steps=100)
    yield "fmn", "L1", attacks.L1FMNAttack(steps=100)
    yield "fmn", "L0", attacks.L0FMNAttack(steps=100)
    yield "ddn", "L2", attacks.DDNAttack(steps=100)
    yield "cw", "L2", attacks.L2CarliniWagnerAttack(binary_search_steps=9, steps=300, abort_early=False)
    yield "deepfool", "L2", attacks.L2DeepFoolAttack(steps=50)
    yield "deepfool", "Linf", attacks.LinfDeepFoolAttack(steps=50)
    yield "ead-en", "L1", attacks.EADAttack(binary_search_steps=9, steps=300, decision_rule="EN", abort_early=False)


def run_foolbox(model, x, y):
    foolbox = have("foolbox")
    if foolbox is None:
        return
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    for name, norm, attack in foolbox_attacks(foolbox):
        x_adv, _, _ = attack(wrapped, x, foolbox.criteria.Misclassification(y), epsilons=None)
        yield f"foolbox {foolbox.__version__}", name, norm, judged(model, x, y, x_adv, norm)


def run_torchattacks(model, x, y):
    torchattacks = have("torchattacks")
    if torchattacks is None:
        return
    x_adv = torchattacks.DeepFool(model, steps=50, overshoot=0.02)(x, y)
    yield f"torchattacks {torchattacks.__version__}", "deepfool", "L2", judged(model, x, y, x_adv, "L2")


def run_adversarial_library(model, x, y):
    library = have("adv_lib.attacks")
    if library is None:
        return
    for name, norm, call in (
        ("fmn", "Linf", lambda: library.fmn(model, x, y, norm=float("inf"), steps=100)),
        ("fmn", "L2", lambda: library.fmn(model, x, y, norm=2, steps=100)),
        ("fmn", "L1", lambda: library.fmn(model, x, y, norm=1, steps=100)),
        ("fmn", "L0", lambda: library.fmn(model, x, y, norm=0, steps=100)),
        ("ddn", "L2", lambda: library.ddn(model, x, y, steps=100)),
    ):
        yield "adversarial-library", name, norm, judged(model, x, y, call(), norm)


def run_autoattack(model, x, y):
    """FAB-T alone has distances; the whole cascade is a decision at one eps, which experiments/reference_ladder compares."""
    autoattack = have("autoattack")
    if autoattack is None:
        return
    for norm, eps in EPS_OF_AUTOATTACK.items():
        adversary = autoattack.AutoAttack(model, norm=norm, eps=eps, version="custom", attacks_to_run=["fab-t"], device="cpu")
        adversary.fab.n_target_classes = CLASSES - 1
        x_adv = adversary.run_standard_evaluation(x, y, bs=len(x))
        yield f"AutoAttack (authors) within {eps:.4g}", "fab-t", norm, judged(model, x, y, x_adv, norm)


def main(reference, out):
    images = torch.load(f"{reference}/images.pt")
    x, y = images["x24_uint8"].float() / 255, images["y24"]
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "peer", "attack", "norm", "image", "distance"])
        for name in ("std", "at"):
            model = torch.jit.load(f"{reference}/models/{name}.ts.pt").eval()
            for run in (run_foolbox, run_torchattacks, run_adversarial_library, run_autoattack):
                for peer, attack, norm, distances in run(model, x, y):
                    for image, value in enumerate(distances.tolist()):
                        writer.writerow([name, peer, attack, norm, image, f"{value:.9g}"])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    torch.manual_seed(0)
    main(sys.argv[1], sys.argv[2])

#include "commands/tasks.hpp"

namespace fercli {

const std::vector<Task>& common_tasks() {
  static const std::vector<Task> tasks{
      {"make a Happy face Sad", "fercli attack happy-to-sad"},
      {"the same with a face of your own", "fercli attack happy-to-sad --image face.png"},
      {"the same with a network of your own", "fercli attack happy-to-sad --model net.h5 --labels fer2013"},
      {"name the emotions in a picture", "fercli predict photo.jpg"},
      {"watch a camera", "fercli live"},
      {"use it in a web browser", "fercli serve"},
      {"look into a data set", "fercli data stats FER2013"},
      {"train a network", "fercli train --data FER2013 --out out/mine"},
      {"train a robust network", "fercli train --adversarial --data FER2013 --out out/robust"},
      {"measure a network's accuracy", "fercli eval --model standard --data FER2013"},
      {"measure its robustness", "fercli eval --model standard --data FER2013 --attacks autoattack"},
      {"everything about it on one page", "fercli report --model standard --data FER2013 --quick"},
  };
  return tasks;
}

const std::vector<Task>& further_tasks() {
  static const std::vector<Task> tasks{
      {"make any face of a data set Happy within 4/255, and find the smallest eps that suffices",
       "fercli attack any-to-happy --data FER2013 --split PublicTest --eps 4/255 --minimal-eps"},
      {"change only the eyes and the mouth", "fercli attack happy-to-sad --mask eyes,mouth --eps 16/255"},
      {"make the images on one network and show them to another",
       "fercli attack happy-to-sad --model robust --surrogate standard"},
      {"the same on two networks together, along the mean of their losses",
       "fercli attack happy-to-sad --model robust --surrogate standard,robust --ensemble loss"},
      {"make a face that survives printing and photographing",
       "fercli attack happy-to-sad --eot 20 --eot-over camera --eps 16/255"},
      {"show two networks side by side", "fercli attack happy-to-sad --model standard,robust"},
      {"find images that occur in more than one split", "fercli data audit FER2013 --out pairs.csv"},
      {"draw those that are nearly equal, mirrored or shifted", "fercli data audit FER2013 --sheet pairs.png"},
      {"pack a data set into one file", "fercli data convert FER2013 fer.ferpack"},
      {"count drawn faces instead of photographs", "fercli data stats synthetic:n=700,seed=1,size=48"},
      {"train on classes of your own, named by their folders",
       "fercli train --data pain --classes folder --out out/pain"},
      {"for whom does it fail? drawn faces carry their groups",
       "fercli eval --model standard --data synthetic:n=700,seed=5 --split all --groups data"},
      {"go on with a run that was stopped", "fercli train --data FER2013 --out out/mine --resume"},
      {"learn from a larger network", "fercli train --data FER2013 --teacher net.h5 --temperature 4"},
      {"robust accuracy at four eps on 500 images, with the adversarial images kept",
       "fercli eval --model robust --data FER2013 --attacks autoattack --eps 1/255,2/255,4/255,8/255 --limit 500 "
       "--save-adv worst.ferpack --out out/robustness"},
      {"the JSON Schema of result.json, for a program that reads it", "fercli schema result"},
      {"fail unless 30 % of the images are robust",
       "fercli eval --model robust --data FER2013 --attacks pgd --eps 4/255 --min-robust 0.3"},
      {"join the shards that eval or attack made with --shard 1/3, 2/3 and 3/3", "fercli merge out/robustness"},
      {"share a long evaluation among four processes",
       "fercli eval --model robust --data FER2013 --attacks autoattack --processes 4 --out out/robustness"},
      {"prove for which images no perturbation within 1/255 changes the answer",
       "fercli certify --model robust --data FER2013 --eps 1/255"},
      {"the same for any patch of five by five pixels", "fercli certify --model standard --patch 5 --band 8"},
      {"train a network for such proofs",
       "fercli train --loss ibp --arch small-cnn --eps 1/255 --data FER2013 --out out/certified"},
      {"ask a complete verifier instead",
       "fercli export --model standard --format vnnlib --data FER2013 --limit 10 --out out/questions"},
      {"check saved adversarial images", "fercli verify worst.ferpack --model robust --data FER2013"},
      {"compare two networks in full", "fercli report --model standard,robust --data FER2013 --full --out out/full"},
      {"test whether two networks differ", "fercli compare out/one/result.json out/two/result.json"},
      {"networks side by side by what AutoAttack leaves of them", "fercli leaderboard results/leaderboard"},
      {"put a measured network among them",
       "fercli leaderboard results/leaderboard --add out/robustness/result.json --eps 4/255 --name Mine --authors Us"},
      {"make the probabilities of a checkpoint fit held-out images",
       "fercli calibrate --model out/mine/best.pt --data FER2013 --split PublicTest --out out/mine/calibrated.pt"},
      {"one perturbation for all faces", "fercli universal any-to-happy --data FER2013"},
      {"glasses to print and wear", "fercli patch any-to-happy --shape glasses --data FER2013"},
      {"perturb a whole photograph", "fercli frame happy-to-sad --image photo.png"},
      {"list the attacks as JSON", "fercli attacks --json"},
      {"attack the faces of the camera, with a robust network's answer beside",
       "fercli live --attack any-to-sad --defend robust"},
      {"twenty seconds of drawn people, recorded",
       "fercli live --source synthetic --no-window --duration 20 --csv faces.csv --record clean.mp4"},
      {"one line per second and face of a video", "fercli predict talk.mp4 --every 1s --csv"},
      {"a page about who was in it and with which emotions", "fercli report talk.csv --out out/talk"},
      {"draw the boxes of all pictures of a folder", "fercli predict pictures --annotate out/boxes"},
      {"serve to other machines", "fercli serve --host 0.0.0.0 --token SECRET-WORD"},
      {"let the page of another server use this one", "fercli serve --cors http://localhost:3000"},
      {"store all that a foreign file leaves open", "fercli import net.h5 --scale=-1,1 --labels fer2013 --out net.pt"},
      {"write a network for ONNX Runtime", "fercli export --model standard --format onnx --out standard.onnx"},
      {"what a network is made of", "fercli summary --arch resnet"},
      {"the options of a command", "fercli help attack"},
      {"what this program was built from, as JSON", "fercli version --json"},
  };
  return tasks;
}

std::vector<Task> tasks_of(const std::string& command) {
  const std::string start = "fercli " + command;
  std::vector<Task> found;
  for (const auto* list : {&common_tasks(), &further_tasks()}) {
    for (const auto& task : *list) {
      const std::string& line = task.command;
      if (line.compare(0, start.size(), start) == 0 && (line.size() == start.size() || line[start.size()] == ' '))
        found.push_back(task);
    }
  }
  return found;
}

}  // namespace fercli

// cli/job_config_test.cc: job files, right and wrong; every message names file and line.
#include "cli/job_config.h"

#include <gtest/gtest.h>

#include "cli/error_test.h"
#include "cli/program_test.h"
#include "cli/work_files.h"

namespace volary {
namespace {

class JobFile : public testing::Test {
 protected:
  NewJob read(const std::string& text, const JobWords& words = {}) {
    const Path file = scratch_.write("config.yaml", text);
    if (with_main_) scratch_.write("main.py", "print('hello')\n");
    return read_job(file, words);
  }
  // The message, with the directory of the file left out.
  std::string error(const std::string& text, const JobWords& words = {}) {
    std::string message = error_of([&] { read(text, words); });
    for (size_t at; (at = message.find(scratch_.path().string() + "/")) != std::string::npos;)
      message.erase(at, scratch_.path().string().size() + 1);
    return message;
  }

  Scratch scratch_;
  bool with_main_ = true;
};

TEST_F(JobFile, HasOicmsKeys) {
  const NewJob job = read(R"(
resources:
  cpu: 4
  memory: 128
replicas: 1
min_available: 1
config_map: {EPOCHS: "5", WARM: yes, CODE: 010}
env:
  LR: 0.1
input_model_data_volume: {name: llama}
input_dataset_data_volume: {name: wiki@3}
output_checkpoints_data_volume: {name: ckpt}
output_model_data_volume: {name: tuned}
)");
  EXPECT_EQ(job.cpus, 4u);
  EXPECT_EQ(job.memory_bytes, 128'000'000'000u);
  EXPECT_EQ(job.env, (std::map<std::string, std::string>{
                         {"CODE", "010"}, {"EPOCHS", "5"}, {"LR", "0.1"}, {"WARM", "yes"}}));
  ASSERT_EQ(job.attachments.size(), 4u);
  EXPECT_EQ(job.attachments[0].path, "/data-volumes/input_model");
  EXPECT_EQ(job.attachments[0].access, AttachAccess::ro);
  EXPECT_EQ(job.attachments[1].volume, "wiki@3");
  EXPECT_EQ(job.attachments[1].path, "/data-volumes/input_dataset");
  EXPECT_EQ(job.attachments[2].path, "/data-volumes/output_checkpoints");
  EXPECT_EQ(job.attachments[3].path, "/data-volumes/output_model");
  EXPECT_EQ(job.attachments[3].access, AttachAccess::rw);
  EXPECT_EQ(job.command, (std::vector<std::string>{"python3", "main.py"}));
}

TEST_F(JobFile, HasReplicasThatShareWhatEachMayUse) {
  const NewJob job = read("resources: {cpu: 2, memory: 3}\nreplicas: 4\nmin_available: 4\n");
  EXPECT_EQ(job.replicas, 4u);
  EXPECT_EQ(job.min_available, 4u);
  EXPECT_EQ(job.cpus, 8u);
  EXPECT_EQ(job.memory_bytes, 12'000'000'000u);
  EXPECT_EQ(error("replicas: 2\nmin_available: 3\n"),
            "invalid: config.yaml:2: 'min_available' is 3, of 2 replicas: expected at most as many");
  EXPECT_TRUE(error("image: python:3\nreplicas: 2\n").starts_with("invalid: config.yaml:2: 'replicas' are processes"));
}

TEST_F(JobFile, NamesWhatPipInstalls) {
  EXPECT_EQ(read("dependencies: [torch, 'boto3>=1']\n").dependencies, (std::vector<std::string>{"torch", "boto3>=1"}));
  EXPECT_EQ(read("runtimeEnvYAML: |\n  pip: [torch]\n  env_vars: {A: b}\n").dependencies,
            std::vector<std::string>{"torch"});
  EXPECT_EQ(read("runtimeEnvYAML: |\n  env_vars: {A: b}\n").env.at("A"), "b");
  EXPECT_EQ(error("dependencies: [a]\nruntimeEnvYAML: 'pip: [b]'\n"),
            "invalid: config.yaml:2: 'runtimeEnvYAML' and 'dependencies' both say what pip installs: expected one of "
            "both");
  EXPECT_NE(error("runtimeEnvYAML: 'conda: x'\n").find("'conda' is not known in runtimeEnvYAML"), std::string::npos);
  scratch_.write("requirements.txt", "torch\n");
  EXPECT_EQ(read("name: x\n").dependencies, std::vector<std::string>{"-r requirements.txt"});
  EXPECT_TRUE(read("dependencies: []\n").dependencies.empty());
}

TEST_F(JobFile, HasSecretsByValueByNameAndFromHere) {
  ::setenv("VOLARY_TEST_HERE", "from here", 1);
  const NewJob job = read("secrets:\n  HF_TOKEN: t\n  WANDB: {secret: wandb, key: api}\n  VOLARY_TEST_HERE:\n"
                          "env: {VOLARY_TEST_HERE2: }\n", [] {
                            JobWords words;
                            words.env = {"VOLARY_TEST_HERE2=x"};
                            return words;
                          }());
  EXPECT_EQ(job.secrets.at("HF_TOKEN").value, "t");
  EXPECT_EQ(job.secrets.at("WANDB").secret, "wandb");
  EXPECT_EQ(job.secrets.at("WANDB").key, "api");
  EXPECT_EQ(job.secrets.at("VOLARY_TEST_HERE").value, "from here");
  EXPECT_FALSE(job.env.contains("HF_TOKEN"));
  EXPECT_EQ(read("env: {VOLARY_TEST_HERE: }\n").env.at("VOLARY_TEST_HERE"), "from here");
  EXPECT_EQ(error("name: x\nsecrets:\n  VOLARY_TEST_UNSET:\n"),
            "invalid: config.yaml:3: 'VOLARY_TEST_UNSET' has no value here, and is not set where this command runs: "
            "write a value, or set it");
  EXPECT_EQ(error("env: {A: b}\nsecrets: {A: c}\n"), "invalid: config.yaml:2: 'A' is set elsewhere too");
}

TEST_F(JobFile, SaysWhetherTheJobIsRunAgain) {
  EXPECT_FALSE(read("auto_restart: false\n").auto_restart);
  EXPECT_EQ(read("auto_restart: true\n").auto_restart->on, RestartOn::timeout);
  EXPECT_EQ(read("auto_restart: on-failure:3\n").auto_restart->failures_max, 3u);
  EXPECT_NE(error("name: x\nauto_restart: maybe\n").find("expected on-timeout, on-failure[:N] or always[:N]"),
            std::string::npos);
}

TEST_F(JobFile, HasOurOwnKeysToo) {
  const NewJob job = read("name: train\ncommand: [sh, -c, 'echo hi']\ntimeout: 2h\nresources: {memory: 1.5GiB}\n");
  EXPECT_EQ(job.name, "train");
  EXPECT_EQ(job.command, (std::vector<std::string>{"sh", "-c", "echo hi"}));
  EXPECT_EQ(job.timeout_seconds, 7200);
  EXPECT_EQ(job.memory_bytes, 1'610'612'736u);
}

TEST_F(JobFile, IsOverriddenByTheCommandLine) {
  JobWords words;
  words.name = "other";
  words.command = {"true"};
  words.attachments = {"extra:/x:rw"};
  words.env = {"EPOCHS=9"};
  words.labels = {"team=nlp"};
  words.timeout = "90s";
  words.cpus = "2";
  words.memory = "2GiB";
  const NewJob job = read("name: train\nenv: {EPOCHS: 5, TOKEN: }\n", [&] {
    JobWords all = words;
    all.env.push_back("TOKEN=t");
    return all;
  }());
  EXPECT_EQ(job.name, "other");
  EXPECT_EQ(job.command, std::vector<std::string>{"true"});
  EXPECT_EQ(job.attachments.at(0).volume, "extra");
  EXPECT_EQ(job.env.at("EPOCHS"), "9");
  EXPECT_EQ(job.env.at("TOKEN"), "t");
  EXPECT_EQ(job.labels.at("team"), "nlp");
  EXPECT_EQ(job.timeout_seconds, 90);
  EXPECT_EQ(job.cpus, 2u);
  EXPECT_EQ(job.memory_bytes, 2147483648u);
}

TEST_F(JobFile, SaysWhichLineIsIndentedWithATab) {
  EXPECT_EQ(error("command:\n\t- echo\n"),
            "invalid: config.yaml:2: not YAML: illegal block entry; line 2 begins with a tab, and YAML is indented "
            "with spaces only");
}

TEST_F(JobFile, MustBeUtf8) {
  EXPECT_EQ(error("# caf\xc3\xa9\nname: caf\xe9\n"),
            "invalid: config.yaml:2: not UTF-8: save the file in that encoding");
}

TEST_F(JobFile, MustNotBeEmpty) {
  EXPECT_EQ(error(""), "invalid: config.yaml:1: the file is not a map of keys: expected a job's file");
}

TEST_F(JobFile, NamesTheLineOfAnUnknownKey) {
  EXPECT_EQ(error("resources:\n  cpu: 1\n  cpus: 2\n"),
            "invalid: config.yaml:3: 'cpus' is not known in resources: expected one of cpu, memory, storage, gpu, "
            "flavor; did you mean 'cpu'?");
  EXPECT_TRUE(
      error("name: x\ncomand: [a]\n").starts_with("invalid: config.yaml:2: 'comand' is not known in a job's file"));
}

TEST_F(JobFile, HasAFlavorAndAPriority) {
  const NewJob job = read("resources: {flavor: small, cpu: 2}\npriority: -5\n");
  EXPECT_EQ(job.flavor, "small");
  EXPECT_EQ(job.cpus, 2u);
  EXPECT_EQ(job.priority, -5);
  EXPECT_EQ(error("name: x\npriority: 101\n").substr(0, 69),
            "invalid: 'priority' is '101': expected a whole number from -100 to 10");
  JobWords words;
  words.priority = "7";
  EXPECT_EQ(read("priority: 3\n", words).priority, 7);
}

TEST_F(JobFile, NamesBothLinesOfAKeyThatStandsTwice) {
  EXPECT_EQ(error("name: a\nresources: {cpu: 1}\nname: b\n"),
            "invalid: config.yaml:3: 'name' stands here for the second time, first in line 1");
}

TEST_F(JobFile, RefusesWhatTheEngineCannotHonour) {
  EXPECT_EQ(error("resources:\n  cpu: 1\n  gpu:\n    accelerator: H100\n"),
            "invalid: config.yaml:4: 'resources.gpu' cannot be honoured here: only jobs in a container are given GPUs, "
            "and there is no 'image'");
  EXPECT_TRUE(error("name: x\nshared_volume: {size: 10}\n")
                  .starts_with("invalid: config.yaml:2: 'shared_volume' cannot be honoured here: its size could not"));
  EXPECT_TRUE(error("resources: {storage: 9}\n").starts_with("invalid: config.yaml:1: 'resources.storage' cannot"));
}

TEST_F(JobFile, NamesAnImage) {
  EXPECT_EQ(read("image: python:3.12\n").image, "python:3.12");
  const NewJob job = read("image: {registry: r.io:5000, name: team/train, tag: '1', secret: registry, password: }\n"
                          "resources: {gpu: {accelerator: H100, accelerator_count: 2}}\n");
  EXPECT_EQ(job.image, "r.io:5000/team/train:1");
  EXPECT_EQ(job.container->registry_secret, "registry");
  EXPECT_EQ(job.container->gpus, 2u);
  EXPECT_EQ(error("image:\n  name: x\n  password: hunter2\n"),
            "invalid: config.yaml:3: 'image.password' would be stored and shown with the job: make a secret of "
            "username and password ('volary secret create'), and give its name as 'image.secret'");
  EXPECT_EQ(error("image: {tag: x}\n"), "invalid: config.yaml:1: 'image' lacks 'name'");
}

TEST_F(JobFile, ReadsNumbersStrictly) {
  for (const char* cpu : {"010", "1.5", "0", "-1", "four", "0x4"})
    EXPECT_EQ(error("resources: {cpu: " + std::string(cpu) + "}\n"),
              "invalid: config.yaml:1: 'resources.cpu' is '" + std::string(cpu) + "': expected a whole number from 1");
  EXPECT_EQ(error("resources:\n  memory: lots\n"),
            "invalid: 'lots' is not an amount of memory: expected a size such as 500MB, 10GiB or 1.5TiB\n"
            "     while reading config.yaml:2");
  EXPECT_EQ(error("config_map: [1]\n"), "invalid: config.yaml:1: 'config_map' is a list: expected a map");
  EXPECT_EQ(error("config_map: {A: [1]}\n"), "invalid: config.yaml:1: 'config_map.A' is a list: expected a text");
}

TEST_F(JobFile, SaysWhereItIsNotYaml) {
  EXPECT_TRUE(error("name: [a\nx: y\n").starts_with("invalid: config.yaml:2: not YAML: "));
  EXPECT_EQ(error("- a\n"), "invalid: config.yaml:1: the file is not a map of keys: expected a job's file");
}

TEST_F(JobFile, WantsAValueForEveryVariable) {
  EXPECT_EQ(error("env:\n  AWS_ACCESS_KEY_ID:\n"),
            "invalid: config.yaml:2: 'AWS_ACCESS_KEY_ID' has no value here, and is not set where this command runs: "
            "write a value, or set it");
  EXPECT_EQ(error("config_map: {A: 1}\nenv:\n  A: 2\n"),
            "invalid: config.yaml:3: 'A' is already set by the other of 'config_map' and 'env'");
}

TEST_F(JobFile, NamesTheVolumeThatIsWrong) {
  EXPECT_EQ(error("input_model_data_volume: {id: x}\n"),
            "invalid: config.yaml:1: 'id' is not known in input_model_data_volume: expected one of name");
  EXPECT_EQ(error("input_model_data_volume: {}\n"), "invalid: config.yaml:1: 'input_model_data_volume' lacks 'name'");
  const std::string bad = error("output_model_data_volume:\n  name: Bad Name\n");
  EXPECT_TRUE(bad.starts_with("invalid: 'Bad Name' is no name for a volume")) << bad;
  EXPECT_TRUE(bad.ends_with("while reading config.yaml:2")) << bad;
}

TEST_F(JobFile, RefusesTwoVolumesAtOnePath) {
  JobWords words;
  words.attachments = {"b:/data-volumes/input_model"};
  EXPECT_EQ(error("input_model_data_volume: {name: a}\n", words),
            "invalid: 'a' and 'b' are both to stand at '/data-volumes/input_model': expected two different paths");
}

TEST_F(JobFile, AttachesWhatTheCommandLineCan) {
  JobWords words;
  words.push_to = {"/in=others@GRA"};
  const NewJob job = read("volumes: ['corpora@GRA/wiki:/in:RW:cache', 'https://x.example/a.git:/code']\n"
                          "push_to: {/code: results@GRA/run}\n", words);
  ASSERT_EQ(job.attachments.size(), 2u);
  EXPECT_EQ(job.attachments[0].volume, "corpora@GRA/wiki");
  EXPECT_EQ(job.attachments[0].access, AttachAccess::rw);
  EXPECT_EQ(job.attachments[0].cache, true);
  EXPECT_EQ(job.attachments[0].push_to, "others@GRA");
  EXPECT_EQ(job.attachments[1].push_to, "results@GRA/run");
  EXPECT_EQ(error("name: x\nvolumes:\n- wiki:/data:R0\n"),
            "invalid: 'R0' in 'wiki:/data:R0' is no permission, for it has the digit 0: expected ro, rw or rwd\n"
            "     while reading config.yaml:3");
  EXPECT_EQ(error("push_to: {/x: results@GRA}\n"),
            "invalid: nothing is attached at '/x', from where changes were to go to 'results@GRA': expected the path "
            "of an attachment\n     while reading config.yaml:1");
}

TEST_F(JobFile, NeedsSomethingToRun) {
  with_main_ = false;
  EXPECT_EQ(error("name: x\n"), "not_found: 'config.yaml' has no 'command', and there is no main.py beside it to run");
  EXPECT_EQ(error_of([] { read_job(std::nullopt, {}); }),
            "invalid: there is nothing to run: give -f FILE, an IMAGE, or a command after '--'");
}

TEST_F(JobFile, TakesTheFilesBesideIt) {
  scratch_.write("lib/model.py", "x");
  scratch_.write(".git/config", "hidden");
  scratch_.write("__pycache__/main.pyc", "made");
  change_mode(scratch_.write("run.sh", "#!/bin/sh\n"), 0755);
  const NewJob job = read("name: x\n");
  std::vector<std::string> names;
  for (const WorkFile& file : job.files) names.push_back(file.path);
  EXPECT_EQ(names, (std::vector<std::string>{"lib/model.py", "main.py", "run.sh"}));
  EXPECT_EQ(job.files[0].content, "eA==");
  EXPECT_FALSE(job.files[1].executable);
  EXPECT_TRUE(job.files[2].executable);
}

TEST_F(JobFile, LimitsTheFilesBesideIt) {
  scratch_.write("large.bin", std::string(work_bytes_max, 'x'));
  EXPECT_EQ(error("name: x\n"),
            "exhausted: the files beside 'config.yaml' are more than 256 or larger than 1.00 MiB together: put what is "
            "large into a data volume");
  remove_file(scratch_.path("large.bin"));
  make_symlink("/etc/passwd", scratch_.path("link"));
  EXPECT_EQ(error("name: x\n"), "invalid: 'link' is neither a file nor a directory: only such can travel with a job");
}

TEST_F(JobFile, DoesNotFallForAliasesThatGrow) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 8; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 1; k < 10; ++k) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_NE(error(bomb).find("more than 10000 values"), std::string::npos);
}

TEST(Base64, IsThatOfRfc4648) {
  EXPECT_EQ(base64_text(""), "");
  EXPECT_EQ(base64_text("f"), "Zg==");
  EXPECT_EQ(base64_text("fo"), "Zm8=");
  EXPECT_EQ(base64_text("foo"), "Zm9v");
  EXPECT_EQ(base64_text("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64_text(std::string("\xff\xfe\x00", 3)), "//4A");
}

TEST(Examples, AreJobsThatCanBeRead) {
  const Path examples = Path(VOLARY_TEST_DATA) / "../../examples";
  for (const char* name : {"digits/train", "io/reader", "io/writer", "io/read-only"}) {
    const NewJob job = read_job(examples / name / "config.yaml", {});
    EXPECT_EQ(job.command, (std::vector<std::string>{"python3", "main.py"})) << name;
    EXPECT_EQ(job.files.size(), 1u) << name;
    EXPECT_FALSE(job.attachments.empty()) << name;
  }
}

}  // namespace
}  // namespace volary

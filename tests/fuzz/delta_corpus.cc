// Writes the seeds of delta_fuzz into a folder, with the code that makes deltas at the controller:
// delta_corpus tests/fuzz/corpus/delta
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <random>
#include <span>
#include <string>

#include "ota/delta.h"

namespace {

std::string noise(std::size_t size) {
  std::mt19937 random(1);
  std::string text(size, '\0');
  for (char& one : text) one = static_cast<char>(random());
  return text;
}

bool write_seed(const std::string& path, const std::string& base, const std::string& image) {
  const auto delta = ota::make_delta(std::as_bytes(std::span(base)),
                                     std::as_bytes(std::span(image)), 2 * image.size() + 100);
  if (!delta) return false;
  std::ofstream file(path, std::ios::binary);
  for (const std::size_t number : {base.size(), image.size()}) {
    file.put(static_cast<char>(number & 0xff)).put(static_cast<char>(number >> 8));
  }
  file << base;
  file.write(reinterpret_cast<const char*>(delta->data()),
             static_cast<std::streamsize>(delta->size()));
  return file.good();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: delta_corpus FOLDER\n", stderr);
    return 2;
  }
  const std::string folder = std::string(argv[1]) + "/";
  const std::string base = noise(1000);
  std::string changed = base;
  changed.replace(400, 5, "a word");
  const bool good = write_seed(folder + "changed", base, changed) &&
                    write_seed(folder + "moved", base, base.substr(500) + base.substr(0, 500)) &&
                    write_seed(folder + "same", base, base) &&
                    write_seed(folder + "cut", base, base.substr(300, 200)) &&
                    write_seed(folder + "foreign", base, std::string(3000, 'x')) &&
                    write_seed(folder + "noise", base.substr(0, 10), noise(300)) &&
                    write_seed(folder + "text", "www A 192.0.2.80\n",
                               "www A 192.0.2.80\nmail A 192.0.2.81\n") &&
                    write_seed(folder + "one", "a", "b") &&
                    write_seed(folder + "compressed", "", base + base);
  return good ? 0 : 1;
}

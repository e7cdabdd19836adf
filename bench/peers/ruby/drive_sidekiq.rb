# The driver of Sidekiq (Debian's 6.4). Fast settings: `push_bulk`, no retries, info logging off. Contract: bench/README.md.
require "json"

command, *rest = ARGV
args = rest.each_slice(2).to_h { |name, value| [name.delete_prefix("--"), value] }
ENV["BENCH_URL"] = args["url"]
ENV["BENCH_OUT"] = args["out"]
exit if command == "setup"
if command == "worker"
  options = ["-c", args["slots"], "-q", "bench", "-r", File.join(__dir__, "noop_job.rb"), "-e", "production"]
  exec("sidekiq", *options, out: "/dev/null")
end

require_relative "noop_job"

payload = -> { { "t" => NoopJob.now, "pad" => "x" * 80 } }
n = args["n"].to_i
bulk = (args["bulk"] || 1).to_i
clock = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
start = clock.call
done = 0
while done < n
  size = [bulk, n - done].min
  if command == "paced"
    early = start + done / args["rate"].to_f - clock.call
    sleep(early) if early.positive?
  end
  if size == 1
    NoopJob.perform_async(payload.call)
  else
    Sidekiq::Client.push_bulk("class" => NoopJob, "args" => Array.new(size) { [payload.call] })
  end
  done += size
end
puts JSON.generate(n: n, seconds: clock.call - start)

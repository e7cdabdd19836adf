# The Sidekiq job of the benchmark.
require "sidekiq"

Sidekiq.configure_server { |config| config.redis = { url: ENV.fetch("BENCH_URL"), size: 25 } }
Sidekiq.configure_client { |config| config.redis = { url: ENV.fetch("BENCH_URL"), size: 5 } }

class NoopJob
  include Sidekiq::Worker
  sidekiq_options retry: false, queue: "bench"

  def self.now
    Process.clock_gettime(Process::CLOCK_REALTIME, :nanosecond)
  end

  RECORD = File.open(File.join(ENV.fetch("BENCH_OUT"), "#{Process.pid}.bin"), "ab") if Sidekiq.server?

  def perform(job)
    RECORD.syswrite([job["t"], NoopJob.now].pack("Q<Q<"))
  end
end

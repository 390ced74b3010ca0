-- The gradient estimate of Automate-CoT (2023): every slot of a prompt holds a candidate with a probability; from trials with their
-- losses, 1 / (I - 1) * sum over trials of (loss - mean loss) times the gradient of the logarithm of the probability, which is 1 / p for
-- the candidate that was drawn. The input has a row for every trial and slot; the answer a row for every slot and candidate drawn.
-- param trial column trial: the trial
-- param slot column slot: the slot of the prompt
-- param candidate column candidate: what was drawn
-- param probability column probability: its probability in the slot
-- param loss column loss: loss of the trial
-- gives slot: the slot
-- gives candidate: what was drawn
-- gives draws: how often
-- gives gradient: the estimate; NULL where there is one trial
WITH trials AS (
  SELECT $trial AS trial_id, min($loss) AS trial_loss FROM input GROUP BY $trial
), means AS (
  SELECT CAST(avg(CAST(trial_loss AS DECIMAL(38, 18))) AS DOUBLE) AS mean_loss, count(*) AS trial_count FROM trials
), terms AS (
  SELECT $slot AS slot, $candidate AS candidate, ($loss - mean_loss) / $probability / nullif(trial_count - 1, 0) AS term FROM input CROSS JOIN means
)
SELECT slot, candidate, count(*) AS draws, CAST(sum(CAST(term AS DECIMAL(38, 18))) AS DOUBLE) AS gradient FROM terms GROUP BY slot, candidate

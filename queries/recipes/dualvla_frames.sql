-- Frames of robot trajectories that need their reasoning (DualVLA, 2025): where the pose accelerates more than on the average of the
-- trajectory or the gripper moves, and the scene changes too. Other frames stay, without their reasoning.
-- param trajectory column trajectory: the trajectory
-- param time column t: order of the frames
-- param pose column pose: six numbers, place and angles
-- param gripper column gripper: state of the gripper
-- param scene column scene: Boolean, whether a scene event begins here
WITH steps AS (
  SELECT *, lag($pose) OVER frames AS before, lead($pose) OVER frames AS after,
    coalesce($gripper <> lag($gripper) OVER frames, false) AS grips
  FROM input WINDOW frames AS (PARTITION BY $trajectory ORDER BY $time)
), moving AS (
  SELECT *, sqrt(power(after[1] - 2 * $pose[1] + before[1], 2) + power(after[2] - 2 * $pose[2] + before[2], 2)
    + power(after[3] - 2 * $pose[3] + before[3], 2) + power(after[4] - 2 * $pose[4] + before[4], 2)
    + power(after[5] - 2 * $pose[5] + before[5], 2) + power(after[6] - 2 * $pose[6] + before[6], 2)) AS raw_acceleration
  FROM steps
), numbered AS (
  SELECT * EXCEPT (raw_acceleration), CASE WHEN NOT isnan(raw_acceleration) THEN raw_acceleration END AS acceleration FROM moving
), keyed AS (
  SELECT * EXCEPT (before, after, grips), grips OR coalesce(acceleration > avg(acceleration) OVER (PARTITION BY $trajectory), false) AS action_key
  FROM numbered
)
SELECT *, action_key AND coalesce($scene, false) AS keep_reasoning FROM keyed

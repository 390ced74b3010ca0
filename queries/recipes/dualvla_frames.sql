-- Frames of robot trajectories that need their reasoning (DualVLA, 2025): where the pose accelerates more than on the average of the
-- trajectory or the gripper moves, and the scene changes too. Other frames stay, without their reasoning.
-- param trajectory column trajectory: the trajectory
-- param time column t: order of the frames
-- param pose column pose: six numbers, place and angles
-- param gripper column gripper: state of the gripper
-- param scene column scene in flags: Boolean, whether a scene event begins here
-- adds acceleration: of the pose; NULL at the ends of a trajectory
-- adds action_key: whether the frame moves more than most, or grips
-- adds keep_reasoning: whether its reasoning stays
WITH steps AS (
  SELECT *, lag($pose) OVER frames AS __before, lead($pose) OVER frames AS __after,
    coalesce($gripper <> lag($gripper) OVER frames, false) AS __grips
  FROM input WINDOW frames AS (PARTITION BY $trajectory ORDER BY $time)
), moving AS (
  SELECT *, sqrt(power(__after[1] - 2 * $pose[1] + __before[1], 2) + power(__after[2] - 2 * $pose[2] + __before[2], 2)
    + power(__after[3] - 2 * $pose[3] + __before[3], 2) + power(__after[4] - 2 * $pose[4] + __before[4], 2)
    + power(__after[5] - 2 * $pose[5] + __before[5], 2) + power(__after[6] - 2 * $pose[6] + __before[6], 2)) AS __acceleration
  FROM steps
), numbered AS (
  SELECT * EXCEPT (__acceleration), CASE WHEN NOT isnan(__acceleration) THEN __acceleration END AS acceleration FROM moving
), keyed AS (
  SELECT * EXCEPT (__before, __after, __grips), __grips OR coalesce(acceleration > avg(acceleration) OVER (PARTITION BY $trajectory), false) AS action_key
  FROM numbered
)
SELECT *, action_key AND coalesce($scene, false) AS keep_reasoning FROM keyed

"""Where an arm's joints must be for its hand to be at a place, within their limits."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from labwright.core.errors import InvalidInput

ROUNDS, DAMPING = 300, 1e-4
LONGEST_STEP = 0.2  # m or rad
CLOSE_M, CLOSE_RAD = 5e-4, 0.02
SAMPLES = 20


class Reach:
    """The joints of a model that its position actuators move, and the site of its hand."""

    def __init__(self, name: str, model: Any, actuators: Sequence[str], hand: str) -> None:
        import mujoco

        self._name, self._model, self._scratch = name, model, mujoco.MjData(model)
        self.actuators = [self.id("actuator", actuator) for actuator in actuators]
        self._joints = [self._joint(actuator) for actuator in self.actuators]
        self.addresses = [int(model.jnt_qposadr[joint]) for joint in self._joints]
        self.dofs = [int(model.jnt_dofadr[joint]) for joint in self._joints]
        self._low, self._high = (model.jnt_range[self._joints, side] for side in (0, 1))
        self._hinges = model.jnt_type[self._joints] == mujoco.mjtJoint.mjJNT_HINGE
        self._hand = self.id("site", hand)
        self._free = frozenset(
            int(model.jnt_bodyid[j]) for j in range(model.njnt) if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_FREE
        )
        self._found: dict[tuple[str, float], np.ndarray] = {}

    def id(self, kind: str, name: str) -> int:
        """Return the number of something in the model; what is not there raises InvalidInput."""
        import mujoco

        number = mujoco.mj_name2id(self._model, getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}"), name)
        if number < 0:
            raise InvalidInput(f"{self._name}.backend_options: the model has no {kind} {name!r}.")
        return int(number)

    def free_bodies(self) -> frozenset[int]:
        """Return the bodies that can be carried."""
        return self._free

    def free_names(self) -> set[str]:
        """Return the names of the bodies that can be carried."""
        return {self._model.body(body).name for body in self._free}

    def height(self, place: str) -> float:
        """Return how high a place is."""
        return float(self._model.site(place).pos[2])

    def joints(self, place: str, above: float) -> np.ndarray:
        """Return the joints for the hand at a place, or so high above it; InvalidInput where it cannot be there."""
        if (place, above) not in self._found:
            self._kinematics(self._model.qpos0[self.addresses])
            site = self.id("site", place)
            goal = self._scratch.site_xpos[site] + [0, 0, above]
            turned = self._scratch.site_xmat[site].copy()
            found = next((f for begin in self._begins() if (f := self._solve(goal, turned, begin)) is not None), None)
            if found is None:
                where = f"{above * 1000:g} mm above {place}" if above else place
                raise InvalidInput(f"{self._name}: its hand does not reach {where} within the limits of its joints.")
            self._found[place, above] = found
        return self._found[place, above]

    def raised(self, data: Any, height: float) -> np.ndarray:
        """Return the joints for the hand over where it is now, at a height or where it is, if that is higher."""
        begin = np.array(data.qpos[self.addresses])
        self._kinematics(begin)
        goal = self._scratch.site_xpos[self._hand].copy()
        if goal[2] >= height:
            return begin
        goal[2] = height
        found = self._solve(goal, self._scratch.site_xmat[self._hand].copy(), begin)
        if found is None:
            raise RuntimeError("the hand cannot rise from where it is")
        return found

    def length(self, begin: np.ndarray, end: np.ndarray) -> float:
        """Return the hand's way as the joints go from one to the other."""
        points = []
        for share in np.linspace(0, 1, SAMPLES):
            self._kinematics(begin + share * (end - begin))
            points.append(self._scratch.site_xpos[self._hand].copy())
        return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())

    def angle(self, begin: np.ndarray, end: np.ndarray) -> float:
        """Return by how much the joint that turns most turns."""
        return float(np.abs((end - begin) * self._hinges).max())

    def _begins(self) -> Iterator[np.ndarray]:
        """Return joints to look from: those of the model, and others, for an arm that is stretched out sees no way."""
        yield np.array(self._model.qpos0[self.addresses])
        for share in (0.5, 0.4, 0.6, 0.3, 0.7):
            yield self._low + share * (self._high - self._low)

    def _joint(self, actuator: int) -> int:
        joint = int(self._model.actuator_trnid[actuator, 0])
        if not self._model.jnt_limited[joint]:
            name = self._model.joint(joint).name
            raise InvalidInput(f"{self._name}.backend_options.joints: the joint {name!r} has no range in the model.")
        return joint

    def _kinematics(self, joints: np.ndarray) -> None:
        import mujoco

        self._scratch.qpos[self.addresses] = joints
        mujoco.mj_kinematics(self._model, self._scratch)
        mujoco.mj_comPos(self._model, self._scratch)

    def _solve(self, goal: np.ndarray, turned: np.ndarray, begin: np.ndarray) -> np.ndarray | None:
        """Go towards a goal by damped least squares; None where that does not lead there."""
        joints = begin.copy()
        for _ in range(ROUNDS):
            error, jacobian = self._miss(joints, goal, turned)
            if np.linalg.norm(error[:3]) < CLOSE_M and np.linalg.norm(error[3:]) < CLOSE_RAD:
                return joints
            step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + DAMPING * np.eye(6), error)
            step *= min(1.0, LONGEST_STEP / float(np.abs(step).max()))
            joints = np.clip(joints + step, self._low, self._high)
        return None

    def _miss(self, joints: np.ndarray, goal: np.ndarray, turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return by how much the hand misses its goal, in place and in turn, and what each joint does to that."""
        import mujoco

        self._kinematics(joints)
        quaternions, spin = np.zeros((3, 4)), np.zeros(3)
        mujoco.mju_mat2Quat(quaternions[0], turned)
        mujoco.mju_mat2Quat(quaternions[1], self._scratch.site_xmat[self._hand])
        mujoco.mju_negQuat(quaternions[1], quaternions[1])
        mujoco.mju_mulQuat(quaternions[2], quaternions[0], quaternions[1])
        mujoco.mju_quat2Vel(spin, quaternions[2], 1.0)
        place, turn = np.zeros((3, self._model.nv)), np.zeros((3, self._model.nv))
        mujoco.mj_jacSite(self._model, self._scratch, place, turn, self._hand)
        error = np.concatenate([goal - self._scratch.site_xpos[self._hand], spin])
        return error, np.vstack([place, turn])[:, self.dofs]
